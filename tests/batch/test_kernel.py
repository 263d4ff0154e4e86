"""Notebooks in a kernel: joined, bounded and checked outputs, and nothing left behind."""

import errno
import gc
import os
import subprocess
import sys
import tempfile
import time

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from gancourse.batch import kernel
from gancourse.errors import CourseError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a\nb"),
        ("10 %\r20 %\r", "20 %\r"),
        ("10 %\r20 %\nend", "20 %\nend"),
        ("a\r\nb", "a\r\nb"),
        ("ab\bc\n\bd", "ac\nd"),
        ("\b\b", ""),
        ("x" * 10 + "\b" * 20 + "y", "y"),
    ],
)
def test_a_stream_shows_what_a_terminal_would(text, shown):
    assert kernel.as_on_a_terminal(text) == shown


def test_a_long_line_takes_a_time_linear_in_its_length():
    text = "[0, 1, 2]\b " * 300_000 + "\r" * 300_000
    start = time.process_time()
    kernel.as_on_a_terminal(text)
    assert time.process_time() - start < 30  # the square of its length would be years


def executed(*sources, tmp_path, **options):
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    return kernel.execute(notebook, {}, cwd=tmp_path, **options)


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A notebook whose cells print and send what they should not, and the runtime folder."""
    folder = tmp_path_factory.mktemp("odd")
    sources = [
        "import os, sys\nprint(os.environ.get('JPY_PARENT_PID'), sys.executable, os.getcwd())",
        "import sys\nfor i in range(3):\n    print(i, flush=True)\n    print('e', file=sys.stderr, "
        "flush=True)",
        "print(list(range(400_000)))",
        "h = display('first', display_id=True)\nprint('a', flush=True)",
        "h.update('second')",
        "display({'text/plain': {'a': 1}, 'image/png': 5}, raw=True)",
        "k = get_ipython().kernel\n"
        "def send(kind, content):\n"
        "    k.session.send(k.iopub_socket, kind, content, parent=k.get_parent())\n"
        "send('stream', {'name': 'stdout', 'text': 5})\n"
        "send('display_data', {})\n"
        "send('comm_open', {'comm_id': 'a', 'data': 3})\n"
        "send('comm_msg', {'comm_id': 'a', 'data': {'state': 3}})\n"
        "send('update_display_data', {'transient': {'display_id': 'none'}, 'data': []})",
        "print('end')",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        patch.setenv("TMPDIR", str(folder))
        patch.setattr("tempfile.tempdir", None)
        notebook, error = executed(*sources, tmp_path=folder)
    assert error is None
    return notebook, sorted(path.name for path in folder.iterdir())


def test_odd_messages_do_not_end_a_notebook(odd):
    notebook, _ = odd
    assert notebook.cells[-1].outputs[0].text == "end\n"
    assert "unknown shape" in notebook.cells[5].outputs[0].text


def test_what_a_cell_prints_is_one_text_for_each_stream(odd):
    notebook, _ = odd
    assert [(out.name, out.text) for out in notebook.cells[1].outputs] == [
        ("stdout", "0\n1\n2\n"),
        ("stderr", "e\n" * 3),
    ]
    assert notebook.cells[2].outputs[0].text == f"{list(range(400_000))}\n"


def test_an_output_of_an_earlier_cell_is_updated(odd):
    notebook, _ = odd
    assert notebook.cells[3].outputs[0].data["text/plain"] == "'second'"


def test_no_connection_file_is_left(odd):
    _, left = odd
    assert left == []


def test_the_kernel_ends_with_the_process_that_started_it(odd):
    notebook, _ = odd
    assert notebook.cells[0].outputs[0].text.split()[0] == str(os.getpid())


def test_output_beyond_the_limit_is_left_out_and_told(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel, "MAX_OUTPUT", 10_000)
    sources = ["for i in range(50):\n    print('x' * 1_000, flush=True)", "print('y')", "1 / 0"]
    notebook, error = executed(*sources, tmp_path=tmp_path)
    assert error.ename == "ZeroDivisionError"
    text = "".join(
        out.get("text", "") for cell in notebook.cells for out in cell.get("outputs", [])
    )
    assert 5_000 < len(text) < 15_000
    (note,) = kernel.notes(notebook)
    assert note.startswith("cell [1]:")


def test_the_first_part_of_a_text_that_is_too_long_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel, "MAX_OUTPUT", 10)
    notebook, _ = executed("print('x' * 1_000)", tmp_path=tmp_path)
    assert [out.text for out in notebook.cells[0].outputs] == ["x" * 10, kernel.LEFT_OUT]


def test_what_a_cell_has_cleared_does_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel, "MAX_OUTPUT", 5_000)
    live = (
        "for i in range(30):\n    print('x' * 1_000, flush=True)\n    clear_output()\nprint('end')"
    )
    notebook, _ = executed("from IPython.display import clear_output\n" + live, tmp_path=tmp_path)
    assert [out.text for out in notebook.cells[0].outputs] == ["end\n"]


def test_a_cell_that_takes_too_long_is_stopped_and_those_before_are_kept(tmp_path):
    notebook, error = executed(
        "print('first')",
        "print('begun', flush=True)\nwhile True: pass",
        tmp_path=tmp_path,
        timeout=3,
    )
    assert isinstance(error, TimeoutError)
    assert [cell.outputs[0].text for cell in notebook.cells] == ["first\n", "begun\n"]


def test_a_cell_that_kills_its_kernel_fails_the_notebook(tmp_path):
    notebook, error = executed(
        "print('first')", "import os; os.kill(os.getpid(), 9)", tmp_path=tmp_path
    )
    assert isinstance(error, RuntimeError)
    assert notebook.cells[0].outputs[0].text == "first\n"


@pytest.mark.skipif(sys.platform == "win32", reason="has no such sockets")
@pytest.mark.parametrize("longest, transport", [(kernel.SOCKET_FOLDER, "ipc"), (5, "tcp")])
def test_kernels_share_no_ports_unless_the_path_of_their_sockets_is_too_long(
    tmp_path, monkeypatch, longest, transport
):
    monkeypatch.setattr(kernel, "SOCKET_FOLDER", longest)
    source = "import json, ipykernel\njson.loads(ipykernel.get_connection_info())['transport']"
    notebook, error = executed(source, tmp_path=tmp_path)
    assert error is None
    assert notebook.cells[0].outputs[0].data["text/plain"] == repr(transport)


def test_a_kernel_that_cannot_start_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    _, error = executed("1", tmp_path=tmp_path)
    assert isinstance(error, RuntimeError)
    assert "Python" in str(error)


@pytest.mark.filterwarnings(
    "error::RuntimeWarning", "error::pytest.PytestUnraisableExceptionWarning"
)
def test_a_run_that_is_stopped_while_its_kernel_starts_leaves_no_kernel(tmp_path, monkeypatch):
    begun = []

    def stopped(client):
        begun.append(client.km.provisioner.process)
        raise KeyboardInterrupt

    monkeypatch.setattr(kernel._Client, "start_new_kernel_client", stopped)
    _, error = executed("1", tmp_path=tmp_path)
    assert isinstance(error, KeyboardInterrupt)
    (process,) = begun
    ended = process.poll() is not None
    process.kill()
    assert ended
    gc.collect()  # a coroutine that nobody has awaited warns now


def test_no_room_for_temporary_files_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(CourseError, match="TMPDIR"):
        executed("1", tmp_path=tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_the_folder_of_a_killed_run_is_removed_by_a_later_one_and_that_of_a_live_one_is_not(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    killed = "import os\nfrom gancourse.batch import kernel\n"
    killed += "with kernel._temporary_folder():\n    os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", killed], env=os.environ | {"TMPDIR": str(tmp_path)})
    (left,) = tmp_path.glob("gancourse-run-*")
    with kernel._temporary_folder() as live:
        assert left.exists()  # it may have been made a moment ago
        for folder in (left, live):
            os.utime(folder, (0, 0))
        with kernel._temporary_folder():
            assert (left.exists(), live.exists()) == (False, True)
    assert list(tmp_path.iterdir()) == []


def test_a_file_beside_the_lesson_does_not_start_in_place_of_the_kernel(tmp_path):
    (tmp_path / "ipykernel_launcher.py").write_text("open('mark', 'w')\n")
    (tmp_path / "ipykernel.py").write_text("open('mark', 'w')\n")
    (tmp_path / "wave.py").write_text("open('mark', 'w')\n")
    (tmp_path / "neighbour.py").write_text("answer = 42\n")
    source = "import wave\nimport neighbour\nprint(neighbour.answer)"
    notebook, error = executed(source, tmp_path=tmp_path)
    assert error is None and notebook.cells[0].outputs[0].text == "42\n"
    assert not (tmp_path / "mark").exists()


def test_a_temporary_folder_may_have_braces_in_its_name(tmp_path, monkeypatch):
    place = tmp_path / "t{x}"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    notebook, error = executed("print(1)", tmp_path=tmp_path)
    assert error is None and notebook.cells[0].outputs[0].text == "1\n"


def test_a_full_temporary_folder_is_named(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(kernel.nbformat, "write", full)
    with pytest.raises(CourseError, match=r"temporary files: the disk is full.*TMPDIR"):
        executed("1", tmp_path=tmp_path)


def test_no_copy_of_the_results_is_written_into_the_temporary_folder(tmp_path, monkeypatch):
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    sizes = "import glob, os\nprint('x' * 100_000)\nmark = 1"
    count = f"print(sum(map(os.path.getsize, glob.glob({str(place)!r} + '/*/*.ipynb'))) < 10_000)"
    notebook, _ = executed(sizes, count, tmp_path=tmp_path)
    assert notebook.cells[1].outputs[0].text == "True\n"


def test_what_cannot_be_written_is_not_executed(tmp_path):
    notebook = new_notebook(cells=[new_code_cell("open('mark', 'w')")])
    with pytest.raises(TypeError):  # parameters of the command line are checked before
        kernel.execute(notebook, {"x": {1: 0, "b": 1}}, cwd=tmp_path)
    assert not (tmp_path / "mark").exists()
