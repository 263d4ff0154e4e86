"""Refusing wrong requests, and running a batch."""

import base64
import io
import json
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from PIL import Image
from written import executed, leave

from gancourse.batch import execute
from gancourse.batch.execute import prepare
from gancourse.batch.lessons import fingerprint, read
from gancourse.cli import main
from gancourse.data import load
from gancourse.errors import CourseError

COMMAND = str(Path(sysconfig.get_path("scripts")) / "gancourse")
CLAIMS = """\
from IPython.display import display

def claim(text, holds, value):
    claim = {"text": text, "holds": holds, "value": value}
    bundle = {"text/plain": text, "application/vnd.gancourse.claim+json": claim}
    display(bundle, raw=True)

claim("the seed is 3", seed == 3, seed)
claim("twice one is two", True, 2)
claim("nobody knows", None, 0)
"""


# Refusing, before anything runs


def test_values_take_the_type_of_the_default(lessons, tmp_path):
    given = {"seed": "3", "rate": "1", "fast": "True", "data": "ring:12", "preset": "smoke"}
    (job,) = prepare(lessons[:1], given, tmp_path / "out")
    values = job.parameters
    assert values == {"seed": 3, "rate": 1.0, "fast": True, "data": "ring:12", "preset": "smoke"}
    assert [type(values[name]) for name in ("seed", "rate", "fast")] == [int, float, bool]


@pytest.mark.parametrize(
    ("name", "value", "culprit", "remedy"),
    [
        ("speed", "1", "'speed'", "preset, seed, rate, fast, device, data, out_dir"),
        ("preset", "lap", "'lap'", "smoke, laptop, paper"),
        ("data", "digitz", "'digitz'", "digits"),
        ("data", "mnist", "mnist", "gancourse data fetch mnist"),
        ("device", "tpu", "'tpu'", "auto, cuda, mps, cpu"),
        ("device", "cuda:99", "cuda:99", "gancourse doctor"),
        ("seed", "x", "'seed'", "whole number"),
        ("seed", "1.5", "'seed'", "whole number"),
        ("seed", "-1", "seed", "from 0 to"),
        ("rate", "high", "'rate'", "number"),
        ("fast", "1", "'fast'", "true or false"),
    ],
)
def test_what_a_lesson_does_not_know_is_refused(lessons, tmp_path, name, value, culprit, remedy):
    with pytest.raises(CourseError) as refused:
        prepare(lessons, {name: value}, tmp_path / "out")
    assert culprit in str(refused.value)
    assert remedy in str(refused.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "kind", ["folder:pics", "pairs:pics", "unpaired:pics/A,pics/B", "mapped:pics"]
)
def test_a_folder_of_pictures_is_that_of_the_caller(lessons, tmp_path, monkeypatch, kind):
    for side in "AB":
        (tmp_path / "pics" / side).mkdir(parents=True)
        for number in range(20):
            Image.new("L", (4, 4)).save(tmp_path / "pics" / side / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    (job,) = prepare(lessons[:1], {"data": kind}, tmp_path / "out")
    assert job.parameters["data"] == kind.replace("pics", str(tmp_path / "pics"))
    monkeypatch.chdir(lessons[0].parent)  # where the lesson runs
    assert len(load(job.parameters["data"])) > 0


def test_a_folder_for_a_lessons_files_is_that_of_the_caller(lessons, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for text, place in (("kept", tmp_path / "kept"), ("~/kept", tmp_path / "home" / "kept")):
        (job,) = prepare(lessons[:1], {"out_dir": text}, tmp_path / "out")
        assert job.parameters["out_dir"] == str(place)


def test_the_output_folder_follows_the_preset(lessons, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GANCOURSE_PRESET")
    assert prepare(lessons, {})[0].out == tmp_path / "build/laptop"
    monkeypatch.setenv("GANCOURSE_PRESET", "smoke")
    assert prepare(lessons, {})[0].out == tmp_path / "build/smoke"
    assert prepare(lessons, {"preset": "paper"})[0].out == tmp_path / "build/paper"


def test_nothing_is_made_if_something_would_be_overwritten(lessons, tmp_path, write):
    out = tmp_path / "out"
    out.mkdir()
    copy = write(out, lessons[1].stem, "my own notes")
    with pytest.raises(CourseError, match="--out"):
        prepare(lessons, {}, out)
    assert "my own notes" in copy.read_text(encoding="utf-8")
    assert list(out.iterdir()) == [copy]


def test_only_a_lesson_has_the_values_of_lessons(tmp_path):
    cell = nbformat.v4.new_code_cell("data = 'a.csv'\npreset = 'mine'")
    cell.metadata["tags"] = ["parameters"]
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "own.ipynb")
    (job,) = prepare([tmp_path / "own.ipynb"], {"data": "b.csv"}, tmp_path / "out")
    assert job.parameters == {"data": "b.csv"}
    assert job.preset == "smoke"  # of GANCOURSE_PRESET, which sets it for every notebook


def test_the_preset_that_an_earlier_run_injected_counts_if_none_is_given(
    lessons, tmp_path, monkeypatch
):
    monkeypatch.delenv("GANCOURSE_PRESET")
    book = read(lessons[0])
    injected = nbformat.v4.new_code_cell("preset = 'paper'")
    injected.metadata["tags"] = ["injected-parameters"]
    book.cells.append(injected)
    nbformat.write(book, tmp_path / "own.ipynb")
    presets = [
        prepare([tmp_path / "own.ipynb"], given, tmp_path / "out")[0].preset
        for given in ({}, {"seed": "1"})
    ]
    assert presets == ["paper", "laptop"]  # papermill replaces the cell that was injected


@pytest.mark.parametrize(
    ("preset", "timeout", "limit"),
    [("smoke", None, 600), ("paper", None, None), ("smoke", 0, None), ("paper", 5, 5)],
)
def test_a_cell_has_a_time_limit(lessons, tmp_path, preset, timeout, limit):
    (job,) = prepare(lessons[:1], {"preset": preset}, tmp_path / "out", timeout)
    assert job.timeout == limit


@pytest.mark.parametrize("seed", ["0", "0,1"])
@pytest.mark.parametrize(
    "make",
    [
        Path.mkdir,
        lambda path: path.symlink_to("absent"),
        lambda path: path.write_text("mine"),
    ],
)
def test_a_folder_that_cannot_be_locked_is_refused_before_anything_runs(
    lessons, tmp_path, make, seed
):
    (tmp_path / "out").mkdir()
    make(tmp_path / "out" / ".gancourse.lock")
    jobs = prepare(lessons, {"seed": seed}, tmp_path / "out")
    with pytest.raises(CourseError, match=r"cannot use .*\.gancourse\.lock.*Move it away"):
        execute.make_folders(jobs)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".gancourse.lock"]


def test_a_folder_that_cannot_be_made_is_refused(lessons, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CourseError, match="file"):
        execute.make_folders(prepare(lessons, {}, tmp_path / "file" / "out"))


def test_a_default_folder_that_cannot_be_used_is_refused(lessons, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.symlink("build", "build")
    with pytest.raises(CourseError, match=r"the output folder: .*links lead in a circle"):
        prepare(lessons, {})


# Running


@pytest.fixture(scope="module")
def batch(tmp_path_factory, write):
    """A batch of a lesson that fails and one that does not."""
    folder = tmp_path_factory.mktemp("batch")
    broken = write(folder, "01_broken", "1", "raise ValueError('the sky\\nis green')", "3")
    figure = f"display({{'image/png': {pixel()!r}}}, raw=True)"
    claims = write(folder, "02_claims", CLAIMS, figure, "print(preset, seed)")
    out = folder / "out"
    arguments = ["run", str(broken), str(claims), "-p", "seed", "3", "-p", "preset", "laptop"]
    result = CliRunner().invoke(main, [*arguments, "--out", str(out)])
    return result, out


def pixel():
    """A picture of one pixel, as it stands in a notebook."""
    file = io.BytesIO()
    Image.new("RGB", (1, 1), "red").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_a_failure_is_reported_and_does_not_stop_the_others(batch):
    result, _ = batch
    assert result.exit_code == 1
    assert "01_broken  3/5 cells" in result.stdout
    assert "02_claims  5/5 cells" in result.stdout
    assert "cell [4]: ValueError: the sky" in result.stderr
    assert "Traceback" not in result.output


def test_executed_notebooks_are_kept_with_what_happened(batch):
    _, out = batch
    broken, claims = (read(out / f"{name}.ipynb") for name in ("01_broken", "02_claims"))
    assert broken.metadata.gancourse.run.status == "failed"
    assert broken.metadata.gancourse.run.left == fingerprint(broken)
    assert any(o.output_type == "error" for cell in broken.cells for o in cell.get("outputs", []))
    assert claims.metadata.gancourse.run.status == "done"
    # The parameter wins over GANCOURSE_PRESET, which the tests have set to smoke.
    assert claims.cells[-1].outputs[0].text == "laptop 3\n"


def test_the_report_holds_the_claims(batch):
    result, out = batch
    assert json.loads((out / "claims.json").read_text(encoding="utf-8")) == [
        {"lesson": "02_claims", "text": "the seed is 3", "holds": True, "value": 3},
        {"lesson": "02_claims", "text": "twice one is two", "holds": True, "value": 2},
        {"lesson": "02_claims", "text": "nobody knows", "holds": None, "value": 0},
    ]
    assert "2 of 2 claims hold" in result.stdout
    index = (out / "index.html").read_text(encoding="utf-8")
    assert 'href="./02_claims.html">Lesson 02_claims</a>' in index
    assert index.count("<img") == 1
    assert (out / "02_claims.html").exists()


def test_a_claim_that_does_not_hold_fails_the_batch_only_when_asked(tmp_path, write):
    path = str(write(tmp_path, "claims", CLAIMS))
    command = [COMMAND, "run", path, "--out", str(tmp_path / "out")]
    result = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert result.returncode == 0
    assert "does not hold: the seed is 3 (0)" in result.stdout
    result = CliRunner().invoke(main, [*command[1:], "--check-claims"])
    assert result.exit_code == 1


def invoke(*arguments):
    return CliRunner().invoke(main, ["run", *map(str, arguments)])


def test_an_output_that_was_edited_is_refused_and_one_that_was_not_is_replaced(tmp_path, write):
    path, out = write(tmp_path, "mine", "1"), tmp_path / "out"
    assert [invoke(path, "--out", out).exit_code for _ in range(2)] == [0, 0]
    book = read(out / "mine.ipynb")
    book.cells[0].source = "# My notes"
    nbformat.write(book, out / "mine.ipynb")
    for arguments in ((path, "--out", out), (out / "mine.ipynb", "--out", out)):
        result = invoke(*arguments)
        assert result.exit_code == 2
        assert "overwritten" in result.stderr
    assert read(out / "mine.ipynb").cells[0].source == "# My notes"


def test_an_output_that_is_edited_during_the_run_is_kept(tmp_path, write):
    out = tmp_path / "out"
    edit = f"open({str(out / 'mine.ipynb')!r}, 'w').write('my notes')"
    result = invoke(write(tmp_path, "mine", edit), "--out", out)
    assert result.exit_code == 0
    assert "mine.ipynb was changed during the run" in result.stderr
    assert (out / "mine.ipynb").read_text(encoding="utf-8") == "my notes"
    assert read(out / "mine-2.ipynb").metadata.gancourse.run.status == "done"
    assert "./mine-2.html" in (out / "index.html").read_text(encoding="utf-8")


def test_a_run_that_fails_keeps_what_an_earlier_one_has_done(tmp_path, write):
    out, mark = tmp_path / "out", tmp_path / "mark"
    path = write(tmp_path, "mine", f"open({str(mark)!r}, 'x').close()")
    assert invoke(path, "--out", out).exit_code == 0
    result = invoke(path, "--out", out)
    assert result.exit_code == 1 and "mine.ipynb is what an earlier run has left" in result.stderr
    states = [
        read(out / f"{name}.ipynb").metadata.gancourse.run.status for name in ("mine", "mine-2")
    ]
    assert states == ["done", "failed"]
    assert invoke(path, "--out", out).exit_code == 1
    assert {p.stem for p in out.glob("*.ipynb")} == {"mine", "mine-2"}


def test_what_was_executed_is_kept_if_it_cannot_be_written(tmp_path, write, monkeypatch):
    def full(path, content):
        raise CourseError(f"cannot write {path}: the disk is full.")

    out, rest = tmp_path / "out", tmp_path / "rest"
    rest.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(rest))
    monkeypatch.setattr(execute, "write_atomically", full)
    result = invoke(write(tmp_path, "mine", "print('hours')"), "--out", out)
    (kept,) = rest.iterdir()
    assert result.exit_code == 1
    assert f"the disk is full. What was executed is in {kept}." in result.stderr
    assert read(kept).cells[-1].outputs[0].text == "hours\n"


def test_a_folder_that_the_lesson_removes_is_made_again(tmp_path, write):
    out = tmp_path / "out"
    result = invoke(
        write(tmp_path, "mine", f"__import__('shutil').rmtree({str(out)!r})"), "--out", out
    )
    assert result.exit_code == 0, result.output
    assert read(out / "mine.ipynb").metadata.gancourse.run.status == "done"


def test_a_page_that_cannot_be_written_counts_as_a_failure(tmp_path, write):
    out = tmp_path / "out"
    edit = f"open({str(out / 'mine.html')!r}, 'w').write('my notes')"
    result = invoke(write(tmp_path, "mine", edit), "--out", out)
    assert result.exit_code == 1 and "mine.html would be overwritten" in result.stderr
    assert (out / "mine.html").read_text(encoding="utf-8") == "my notes"


@pytest.mark.parametrize(
    ("given", "then", "done"),
    [
        ({"x": 1}, {"x": 1}, True),
        ({"x": (0, 1)}, {"x": [0, 1]}, True),
        ({"x": {2: 0, 10: 1}}, {"x": {"2": 0, "10": 1}}, True),
        ({"x": True}, {"x": 1}, False),
        ({"x": 1.0}, {"x": 1}, False),
    ],
)
def test_done_means_with_the_same_parameters(tmp_path, write, given, then, done):
    path, out = write(tmp_path, "mine", "1"), tmp_path / "out"
    out.mkdir()
    leave(executed(*read(path).cells, preset="smoke", parameters=then), out / "mine.ipynb")
    job = execute.Job(path=path, parameters=given, preset="smoke", out=out, timeout=None)
    assert execute.is_done(job) is done


def test_a_picture_that_was_pasted_into_a_lesson_is_a_change(tmp_path, write):
    path, out = write(tmp_path, "mine", "1"), tmp_path / "out"
    out.mkdir()
    leave(executed(*read(path).cells, preset="smoke"), out / "mine.ipynb")
    job = execute.Job(path=path, parameters={}, preset="smoke", out=out, timeout=None)
    assert execute.is_done(job)
    book = read(path)
    book.cells[0].attachments = {"a.png": {"image/png": pixel()}}
    nbformat.write(book, path)
    assert not execute.is_done(job)


def test_a_cell_that_takes_too_long_is_named_and_the_others_run(tmp_path, write):
    endless, other = write(tmp_path, "endless", "while True: pass"), write(tmp_path, "other", "1")
    result = invoke(endless, other, "--out", tmp_path / "out", "--timeout", 3)
    assert result.exit_code == 1
    assert "cell [2]: took longer than 3 s. See --timeout" in result.stderr
    assert "other  2/2 cells" in result.stdout


def test_odd_outputs_do_not_end_a_batch_or_spoil_its_folder(tmp_path, write):
    picture = "display({'image/png': 'aGVsbG8='}, raw=True)"
    number = (
        "display({'application/vnd.gancourse.claim+json': {'text': 1, 'holds': True}}, raw=True)"
    )
    odd = write(
        tmp_path,
        "odd",
        picture,
        number,
        "from gancourse.lesson import claim",
        "claim(123, True, 1)",
    )
    out = tmp_path / "out"
    result = invoke(odd, write(tmp_path, "other", "1"), "--out", out, "--check-claims")
    assert result.exit_code == 1
    assert "odd  5/5 cells" in result.stdout
    assert "1 of 1 claims hold  done" in result.stdout
    assert "a claim of cell 4" in result.stderr
    assert "Traceback" not in result.output
    assert {file.name for file in out.glob("[!.]*")} == {
        "odd.ipynb",
        "odd.html",
        "other.ipynb",
        "other.html",
        "index.html",
        "claims.json",
    }
    again = invoke(tmp_path / "other.ipynb", "--out", out)
    assert again.exit_code == 0, again.output


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal as a POSIX terminal does")
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_stops_the_batch_and_keeps_what_was_finished(tmp_path, write, number):
    mark = tmp_path / "begun"
    wait = f"print('begun'); open({str(mark)!r}, 'w').close(); import time; time.sleep(600)"
    slow, never = write(tmp_path, "slow", wait), write(tmp_path, "never", "1")
    out, rest = tmp_path / "out", tmp_path / "rest"
    rest.mkdir()
    command = [COMMAND, "run", str(slow), str(never), "--out", str(out)]
    settings = os.environ | {"TMPDIR": str(rest), "JUPYTER_RUNTIME_DIR": str(rest)}
    number = getattr(signal, number)
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=settings,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # tests under nohup ignore it
    )
    while not mark.exists() and process.poll() is None:
        time.sleep(0.1)
    os.kill(process.pid, number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "slow  1/2 cells" in output
    assert "Traceback" not in errors
    assert read(out / "slow.ipynb").metadata.gancourse.run.status == "interrupted"
    assert not (out / "never.ipynb").exists()
    assert "interrupted" in (out / "index.html").read_text(encoding="utf-8")
    assert list(rest.iterdir()) == []
