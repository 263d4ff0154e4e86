"""A notebook executed by papermill in a kernel of its own, with bounds on time and on output."""

import contextlib
import json
import logging
import os
import shutil
import stat
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpecManager
from nbclient.exceptions import CellExecutionComplete
from nbformat.v4 import new_output
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.translators import PythonTranslator, papermill_translators

from gancourse.batch import lessons
from gancourse.errors import CourseError, printable
from gancourse.files import paths
from gancourse.files.locks import locked

MAX_OUTPUT = 32 * 2**20  # characters of output in a notebook
MAX_ERROR = 2**20  # characters of an error that is kept even then
START_TIMEOUT = 180  # seconds until a kernel answers; a busy machine takes more than papermill's 60
LEFT_OUT = f"[what follows is left out: a notebook keeps {MAX_OUTPUT >> 20} MB of output]\n"
MALFORMED = "[an output of an unknown shape is left out]\n"
PREFIX, LOCK = "gancourse-run-", ".lock"  # of a run's temporary folder
SOCKET_FOLDER = 85  # bytes of the path of a folder with sockets; a socket's may have 103
LOG = "kernel.log"  # what a kernel prints outside of a cell
ENGINE = "gancourse"
# Without the lesson's folder on the path, until IPython puts it after the standard library's:
# "-m ipykernel_launcher" would take a file of that name beside the lesson.
LAUNCH = paths.APART + "from ipykernel import kernelapp; kernelapp.launch_new_instance()"


def execute(notebook, parameters, *, cwd, timeout=None, progress=False):
    """Execute a notebook in a new kernel of this interpreter, whatever kernel the notebook names.

    The kernel's connection file and what papermill reads are in a temporary folder, which is
    removed at the end. A kernel ends by itself a second after the process that started it.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        From :func:`gancourse.batch.lessons.read`.
    parameters : dict
        The values that papermill injects.
    cwd : path
        The folder in which the kernel works.
    timeout : int, optional
        Seconds that a cell may take.
    progress : bool or dict
        papermill's ``progress_bar``.

    Returns
    -------
    notebook : nbformat.NotebookNode
        With the outputs of what was executed.
    error : BaseException or None
        Why it was not executed to the end: ``PapermillExecutionError`` for a cell that failed,
        ``TimeoutError`` for one that took too long, ``RuntimeError`` or ``OSError`` for a kernel
        that died or did not start, ``KeyboardInterrupt``.

    Raises
    ------
    CourseError
        If there is no room for temporary files.
    """
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    with _temporary_folder() as folder:
        before = folder / "notebook.ipynb"
        try:
            nbformat.write(notebook, before)
        except OSError as problem:
            raise no_room(problem) from problem
        kept, error = [], None  # in memory: a disk may be full
        try:
            papermill.execute_notebook(
                str(before).replace("{", "{{").replace("}", "}}"),  # papermill fills in braces
                None,
                parameters,
                engine_name=ENGINE,
                kernel_name="python3",
                language="python",
                cwd=cwd,
                progress_bar=progress,
                autosave_cell_every=0,
                start_timeout=START_TIMEOUT,
                timeout=timeout,
                folder=str(folder),
                kept=kept,
            )
        except (
            papermill.PapermillExecutionError,
            TimeoutError,
            RuntimeError,
            OSError,
            KeyboardInterrupt,
        ) as problem:
            if not kept:
                raise
            error = problem
        if isinstance(error, RuntimeError):
            error = RuntimeError(f"{error} {_last_words(folder / LOG)}".strip())
        return lessons.parse(nbformat.writes(kept[0]), "what was executed"), error


def no_room(error):
    """Return what to tell the user where no temporary file can be written."""
    return CourseError(
        f"a lesson needs room for temporary files: {paths.reason(error)}. TMPDIR names it."
    )


def _last_words(log):
    """Return the last line that a kernel printed outside of a cell, such as why it died."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n") if log.exists() else []
    return next((f"({printable(line)})" for line in reversed(lines) if line.strip()), "")


@contextlib.contextmanager
def _temporary_folder():
    """Make a folder that is removed at the end, or by a later run if this one is killed."""
    try:
        folder = tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
    except OSError as error:
        raise no_room(error) from error
    with folder as name, locked(Path(name) / LOCK):
        if not _is_free(Path(name) / LOCK):  # else this drive has no locks
            _remove_abandoned(Path(name).parent)
        yield Path(name)


def _is_free(lock):
    try:
        with locked(lock, timeout=0):
            return True
    except TimeoutError:
        return False


def _remove_abandoned(place):
    """Remove this user's folders of runs that were killed: the system has freed their locks."""
    for folder in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            known = folder.lstat()
            fresh = time.time() - known.st_mtime < 60  # its lock may not be held yet
            # Windows has no user ids: they are 0 there, and its temporary folder is one user's.
            mine = stat.S_ISDIR(known.st_mode) and known.st_uid == getattr(os, "getuid", int)()
            if mine and not fresh and (folder / LOCK).is_file() and _is_free(folder / LOCK):
                shutil.rmtree(folder)


class _Engine(Engine):
    """papermill's engine with our client."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man, kernel_name, start_timeout, timeout, folder, kept, **unused
    ):
        """Execute the notebook that ``nb_man`` holds, and put it into the list ``kept``."""
        nbformat.writes(nb_man.nb)  # what cannot be written fails before it is executed
        kept.append(nb_man.nb)
        client = _Client(
            nb_man,
            folder=folder,
            kernel_name=kernel_name,
            startup_timeout=start_timeout,
            timeout=timeout,
            iopub_timeout=60,  # until a cell's last output is here; papermill's 4 are too few
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],  # silent when stopped
            log=logging.getLogger("papermill"),
        )
        client.execute()


class _Client(PapermillNotebookClient):
    """papermill's client, for a kernel of this interpreter and outputs of any shape and size.

    nbclient 0.11 can join what a cell prints, but takes a time that grows with the square of a
    line's length, and loses count of the outputs that a later cell updates.
    """

    def __init__(self, nb_man, *, folder, **options):
        super().__init__(nb_man, on_cell_executed=self._cell_executed, **options)
        self.folder = folder
        self.room = MAX_OUTPUT  # for what follows
        self.taken = 0  # by the current cell
        self.full = False  # whether something was left out
        self.streams = {}  # name to output, of the current cell

    def create_kernel_manager(self):
        """Return a manager of this interpreter's kernel, with its files in our folder."""
        # Of kernels that start at once two may choose the same port, since a port is chosen some
        # time before the kernel takes it. Sockets in our folder are nobody else's.
        has_sockets = sys.platform != "win32" and len(os.fsencode(self.folder)) <= SOCKET_FOLDER
        self.km = self.kernel_manager_class(
            kernel_name=self.kernel_name,
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),  # no other "python3"
            connection_file=os.path.join(self.folder, "kernel.json"),
            transport="ipc" if has_sockets else "tcp",
        )
        self.km.kernel_spec.argv = [sys.executable, "-c", LAUNCH, "-f", "{connection_file}"]
        return self.km

    def execute(self, **options):
        """Execute the notebook; no kernel is left."""
        try:
            with open(os.path.join(self.folder, LOG), "wb") as log:
                return super().execute(stdout=log, stderr=log, **options)
        finally:
            if self.km is not None and self.km.has_kernel:  # stopped while the kernel started
                self.shutdown_kernel = "immediate"
                self._cleanup_kernel()

    def execute_cell(self, cell, cell_index, **options):
        """Execute a cell; also if it does not end, its outputs are complete."""
        try:
            return super().execute_cell(cell, cell_index, **options)
        finally:
            self._join(cell)

    def process_message(self, msg, cell, cell_index):
        """Take a message of the kernel; a cell can send a malformed one, which leaves a note."""
        try:
            return super().process_message(msg, cell, cell_index)
        except CellExecutionComplete:
            raise
        except Exception:  # nbclient trusts the shape of what it reads
            cell.outputs.append(new_output("stream", name="stderr", text=MALFORMED))
            return None

    def output(self, outs, msg, display_id, cell_index):
        """Take an output: join it to the cell's stream, or leave it out where there are too many.

        The position of another output does not change, since ``update_display`` counts on it.
        """
        kind, content = msg["msg_type"], msg["content"]
        size = len(content["text"] if kind == "stream" else json.dumps(content))
        if size > self.room and not (kind == "error" and size < MAX_ERROR):
            if self.full:
                return None
            self.full = True
            outs.append(new_output("stream", name="stderr", text=LEFT_OUT))
            if kind != "stream":
                return None
            content["text"], size = content["text"][: self.room], self.room
        self.room -= size
        self.taken += size
        out = super().output(outs, msg, display_id, cell_index)
        if out is not None and out.output_type == "stream" and isinstance(out.text, str):
            first = self.streams.setdefault(out.name, out)
            if first is out:
                out.text = [out.text]
            else:
                outs.pop()
                first.text.append(out.text)
        return out

    def clear_display_id_mapping(self, cell_index):
        """Forget the outputs of a cell, which has cleared them."""
        super().clear_display_id_mapping(cell_index)
        self.streams = {}
        self.room, self.taken, self.full = self.room + self.taken, 0, False

    def set_widgets_metadata(self):
        """Keep the state of the widgets, unless it is too large."""
        super().set_widgets_metadata()
        if len(json.dumps(self.nb.metadata.get("widgets"))) > MAX_OUTPUT:
            del self.nb.metadata["widgets"]

    def _cell_executed(self, cell, cell_index, execute_reply):
        self._join(cell)

    def _join(self, cell):
        """Make each stream one text, and put standard output before standard error."""
        for out in self.streams.values():
            out.text = as_on_a_terminal("".join(out.text))
        self.streams, self.taken = {}, 0
        outs = cell.get("outputs", [])
        for i in range(len(outs) - 1):
            if [out.get("name") for out in outs[i : i + 2]] == ["stderr", "stdout"]:
                outs[i : i + 2] = reversed(outs[i : i + 2])


papermill_engines.register(ENGINE, _Engine)


def notes(notebook):
    """Return what was left out of an executed notebook, for its reader."""
    return [
        f"cell [{cell.execution_count}]: {LEFT_OUT.strip(chr(10) + '[]')}"
        for cell in notebook.cells
        if any(output.get("text") == LEFT_OUT for output in cell.get("outputs", []))
    ]


def as_on_a_terminal(text):
    r"""Return a text without what ``\r`` and ``\b`` take back, in time linear in its length."""
    if "\r" not in text and "\b" not in text:
        return text
    return "\n".join(map(_line_on_a_terminal, text.split("\n")))


def _line_on_a_terminal(line):
    ending = "\r" * line.endswith("\r")  # of \r\n, or of a line that may still be replaced
    line = line.removesuffix("\r").rpartition("\r")[2]
    if "\b" not in line:
        return line + ending
    signs = []
    for sign in line:
        if sign != "\b":
            signs.append(sign)
        elif signs:
            signs.pop()
    return "".join(signs) + ending


class _Literals(PythonTranslator):
    """papermill's translator, which turns tuples and the keys of dicts into text."""

    @classmethod
    def translate(cls, val):
        """Return a value as Python source."""
        if isinstance(val, tuple):
            return "(" + "".join(f"{cls.translate(item)}, " for item in val).rstrip() + ")"
        return super().translate(val)

    @classmethod
    def translate_dict(cls, val):
        """Return a dict as Python source."""
        items = (f"{cls.translate(key)}: {cls.translate(item)}" for key, item in val.items())
        return "{" + ", ".join(items) + "}"


papermill_translators.register("python3", _Literals)
