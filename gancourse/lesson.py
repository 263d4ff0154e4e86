"""What a notebook calls: setup(), show(), show_settings(), claim(), check() and solution()."""

import dataclasses
import html
import inspect
import json
import os
import platform
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

import torch
from IPython.display import display

import gancourse
from gancourse import data as datasets
from gancourse import exercises, plotting
from gancourse.batch.lessons import CLAIM, DEFAULT_PRESET, PRESETS
from gancourse.errors import CourseError, choose
from gancourse.exercises import short
from gancourse.files import paths
from gancourse.training import runtime

CHECK = "application/vnd.gancourse.check+json"  # the MIME type of what check() records

_current = None  # the Lesson that setup() returned last; claim() reads its preset


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A notebook's parameters, checked; returned by :func:`setup`.

    Attributes
    ----------
    preset : {"smoke", "laptop", "paper"}
        How much is computed.
    run : gancourse.training.runtime.Run
        Device, seed, precision and memory format.
    data : str
        The name of the data set, for ``gancourse.data.load``.
    out_dir : pathlib.Path or None
        The folder for the files that the lesson writes; None if it shall write none.
    """

    preset: str
    run: runtime.Run
    data: str
    out_dir: Path | None

    def pick(self, *, smoke, laptop, paper):
        """Return the value that belongs to the preset."""
        return {"smoke": smoke, "laptop": laptop, "paper": paper}[self.preset]

    def keep(self, name):
        """Return the arguments of ``train`` that keep a run, and go on with it the next time.

        ``train(gan, step, data, run, **lesson.keep("digits"))`` keeps it in ``out_dir``/digits. A
        lesson that is executed again with the same ``out_dir`` loads it and does not begin anew.

        Parameters
        ----------
        name : str
            Of the run's folder, another one for each training of the lesson.

        Returns
        -------
        dict
            Empty if there is no ``out_dir``.
        """
        return {} if self.out_dir is None else {"out_dir": self.out_dir / name, "resume": True}


def setup(
    *, preset, seed, device, data, out_dir, precision="fp32", channels_last=False, threads=None
):
    """Check a notebook's parameters, choose the device, seed everything, and print the settings.

    The environment variable GANCOURSE_PRESET takes the place of the default preset, for tools
    that cannot inject parameters, such as nbval.

    Parameters
    ----------
    preset : {"smoke", "laptop", "paper"}
        How much is computed: enough for a test, for a laptop, or as much as in the paper.
    seed : int
        Seeds every random source; from 0 to 2**63 - 1.
    device : {"auto", "cuda", "mps", "cpu"} or str
        See :func:`gancourse.training.runtime.start`.
    data : str
        A data set that ``gancourse data list`` shows.
    out_dir : str or pathlib.Path
        A folder for the files that the lesson writes; "" if it shall write none.
    precision : {"fp32", "bf16", "auto"}
        See :func:`gancourse.training.runtime.start`. This and the next are the lesson's choice
        and not its parameters: papermill cannot inject them.
    channels_last : bool
        See :func:`gancourse.training.runtime.start`.
    threads : int, optional
        Threads of the CPU; PyTorch's choice if left out. The threads of a small network wait for
        each other most of the time, and on a busy machine much longer than one would compute.

    Returns
    -------
    Lesson

    Raises
    ------
    CourseError
        If a value is unknown; the known ones are listed.
    """
    global _current
    choose("preset", preset, PRESETS)
    choose("data set", str(data).partition(":")[0], datasets.DATASETS)
    note = ""
    if preset == DEFAULT_PRESET and os.environ.get("GANCOURSE_PRESET"):
        preset = choose("preset in GANCOURSE_PRESET", os.environ["GANCOURSE_PRESET"], PRESETS)
        note = " (from GANCOURSE_PRESET)"
    run = runtime.start(device, seed, precision=precision, channels_last=channels_last)
    if threads is not None:
        runtime.use_threads(threads)
    # Deterministic algorithms cost nothing on the CPU. Elsewhere they are slower, and some layers
    # have none.
    torch.use_deterministic_algorithms(run.device.type == "cpu", warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    plotting.use_style()
    folder = paths.folder(out_dir, "out_dir") if out_dir else None
    _current = Lesson(preset=preset, run=run, data=data, out_dir=folder)
    rows = {
        "gancourse": f"{gancourse.__version__}, Python {platform.python_version()}, "
        f"PyTorch {torch.__version__}",
        "device": _device_text(run.device),
        "preset": preset + note,
        "seed": seed,
        "data": data,
        "out_dir": _current.out_dir or "none: nothing is kept",
    }
    if precision != "fp32" or channels_last:
        rows["precision"] = run.precision + ", channels last" * channels_last
    print("\n".join(f"{name:<10} {value}" for name, value in rows.items()))
    return _current


def show(obj):
    """Display the source of a function, class, method or module, with its file and line.

    Raises
    ------
    CourseError
        If ``obj`` has no Python source.
    """
    place, source = _source(obj)
    markdown = f"`{place}`\n\n{_fence(source)}"
    display(_Output({"text/plain": f"# {place}\n{source}", "text/markdown": markdown}))


def show_settings(cfg, paper):
    """Display a configuration as a table beside the paper's, with the comment of each field.

    Fields with the paper's value are in the line below the table. Of a part whose weight is 0, such
    as ``r1``, the other fields (``r1_every``) have no value.

    Parameters
    ----------
    cfg, paper : Config
        Of one class, such as ``dcgan.PRESETS["laptop"]`` and ``dcgan.PRESETS["paper"]``.

    Raises
    ------
    CourseError
        If they are of two classes.
    """
    if type(cfg) is not type(paper):
        raise CourseError(
            "show_settings(cfg, paper) compares two configurations of one GAN, not "
            f"{type(cfg).__module__} and {type(paper).__module__}"
        )
    _, source = _source(type(cfg))
    rows, same, here = [], [], dataclasses.asdict(cfg)
    for name, value in here.items():
        parts = [part for part in here if name.startswith(f"{part}_") and getattr(paper, part) == 0]
        if any(here[part] == 0 for part in parts):
            continue  # neither has the part
        of_paper = None if parts else getattr(paper, name)
        comment = re.search(rf"^ +{name}: .*?  # (.*)$", source, re.MULTILINE)
        if value == of_paper:
            same.append(f"{name} {_setting(value)}")
        else:
            about = comment.group(1) if comment else ""
            rows.append([name, _setting(value), "" if parts else _setting(of_paper), about])
    as_in = f"As in the paper: {', '.join(same)}." if same else ""
    display(plotting.table(["setting", "here", "in the paper", "what it is"], rows, as_in))


def claim(text, condition, value):
    """Display a statement of the lesson, whether it holds in this run, and what was measured.

    Parameters
    ----------
    text : str
        The statement, such as "all 8 modes are covered".
    condition : bool
        Whether it holds: a Python or NumPy boolean, or a boolean 0-d tensor.
    value : int, float, str or 0-d array or tensor
        What was measured.

    Returns
    -------
    bool or None
        Whether it holds; None in the smoke preset, which is too small to judge it.

    Raises
    ------
    CourseError
        If the condition is not a boolean.
    """
    text = str(text)
    condition, value = (x.item() if hasattr(x, "item") else x for x in (condition, value))
    if not isinstance(condition, bool):
        raise CourseError(
            f"claim(text, condition, value): the condition must be True or False, not {condition!r}"
        )
    holds = None if _current and _current.preset == "smoke" else condition
    outcome = "not judged at this size" if holds is None else ""
    measured = f"{short(value)}, {outcome}" if outcome else short(value)
    number = isinstance(value, int | float) and abs(value) < float("inf")  # JSON has no NaN
    bundle = {"text": text, "holds": holds, "value": value if number else str(value)}
    display(_Output({**_lines((holds, text, measured)), CLAIM: bundle}))
    return _quiet(holds)


def check(number, answer):
    """Test the answer to an exercise and show which properties hold and which one fails.

    An error in the answer is shown and not raised, so that the rest of the notebook still runs.

    Parameters
    ----------
    number : str
        The exercise, such as ``"1.2"``.
    answer : object
        What the exercise asks for: a function, a class or a value.

    Returns
    -------
    bool
        Whether the answer is right.
    """
    ex = exercises.find(number)
    result = ex.check(answer)
    if not result.written:
        lines = [(None, f"{ex.number} {ex.title}", "not yet: write the answer, then run the cell")]
    else:
        lines = [(result.passed, f"{ex.number} {ex.title}", "")]
        lines += [(True, f"\N{EM SPACE}{name}", "") for name in result.holds]
        if not result.passed:
            lines += [(False, f"\N{EM SPACE}{result.fails}", result.detail)]
    bundle = {"number": ex.number, "written": result.written, "passed": result.passed}
    display(_Output({**_lines(*lines), CHECK: bundle}))
    return _quiet(result.passed)


def solution(number):
    """Display the solution of an exercise, folded away until it is clicked."""
    ex = exercises.find(number)
    if callable(ex.answer):
        _, source = _source(ex.answer)
        plain = re.sub(r"\A@.*\n", "", source)  # without the line that registers it
        body = _fence(plain)
    else:
        plain = repr(ex.answer)
        body = f"`{plain}`"
    title = f"Solution {ex.number}: {ex.title}"
    folded = [f"<details><summary>{html.escape(title)}</summary>", body, ex.why, "</details>"]
    bundle = {
        "text/plain": "\n".join(filter(None, [title, plain, ex.why])),
        "text/markdown": "\n\n".join(filter(None, folded)),
    }
    display(_Output(bundle))


def measured(name):
    """Return the results of runs that are too long for a lesson.

    Parameters
    ----------
    name : str
        Of a file in ``data/measured/``, without its ending.

    Returns
    -------
    dict
        What the tool has written that ``data/README.md`` names for this file.

    Raises
    ------
    CourseError
        If there is no such file.
    """
    known = [path.stem for path in datasets.shipped("measured").glob("*.json")]
    choose("measured results", name, known)
    return json.loads(datasets.shipped(f"measured/{name}.json").read_text(encoding="utf-8"))


def _setting(value):
    """Return a value of a configuration as text: 0.0002 as 2e-4, 1200 as 1,200."""
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_setting, value))})"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    exponent = re.sub(r"e([-+])0*", lambda m: "e" + m.group(1).strip("+"), f"{value:.6e}")
    digits, power = exponent.split("e")
    return f"{float(digits):g}e{power}" if 0 < abs(value) < 0.001 else f"{value:g}"


def _device_text(device):
    if device.type == "cuda":
        return f"{device}, {torch.cuda.get_device_name(device)}"
    count = torch.get_num_threads()
    return f"{device}, {platform.machine()}, {count} thread{'s' * (count > 1)}"


def _source(obj):
    """Return the place where ``obj`` is defined, as "gancourse/file.py:12", and its source."""
    obj = inspect.unwrap(obj.fget if isinstance(obj, property) else obj)
    module = obj.__name__ if inspect.ismodule(obj) else getattr(obj, "__module__", None)
    here = module == "__main__"
    try:
        lines, first = inspect.getsourcelines(obj)
    except (OSError, TypeError):
        if here and isinstance(obj, type):  # before Python 3.13 a notebook's classes have no source
            return "defined in this notebook", f"# {obj.__name__}: see the cell that defines it"
        raise CourseError(
            f"show() takes a function, class, method or module written in Python, not {obj!r:.80}"
        ) from None
    source = textwrap.dedent("".join(lines))
    if here:
        return "defined in this notebook", source
    file = Path(inspect.getsourcefile(obj)).name
    packages = module.split(".") if file == "__init__.py" else module.split(".")[:-1]
    return "/".join([*packages, f"{file}:{max(first, 1)}"]), source


def _fence(source):
    """Return the source as a Markdown code block, which each viewer colours in its own theme."""
    return f"````python\n{source.rstrip()}\n````"


# These colours are legible on white and on black. We cannot use the variables of JupyterLab's
# themes: it removes them from a notebook that isn't trusted yet, such as one just cloned.
_MARKS = {True: ("✓", "#388e3c"), False: ("✗", "#e04040"), None: ("–", "#808080")}


def _lines(*lines):
    """Return lines, each (whether it holds, text, remark), as plain text and as HTML."""
    plain, rows = [], []
    for holds, text, remark in lines:
        sign, colour = _MARKS[holds]
        line = f"{text}: {remark}" if remark else text
        plain.append(f"{sign} {line}")
        rows.append(f'<div><b style="color: {colour}">{sign}</b> {html.escape(line)}</div>')
    _, colour = _MARKS[lines[0][0]]
    frame = f"border-left: 3px solid {colour}; padding: 2px 10px"
    return {
        "text/plain": "\n".join(plain),
        "text/html": f'<div style="{frame}">{"".join(rows)}</div>',
    }


class _Output:
    """One output in several MIME types; outside a notebook, its plain text."""

    def __init__(self, bundle):
        self.bundle = bundle

    def __repr__(self):
        return self.bundle["text/plain"]

    def _repr_mimebundle_(self, include=None, exclude=None):
        return self.bundle


class _Verdict(int):
    """A boolean that a notebook doesn't display when it is the last value of a cell."""

    def __repr__(self):
        return repr(bool(self))

    def _ipython_display_(self):
        pass


def _quiet(holds):
    return None if holds is None else _Verdict(holds)
