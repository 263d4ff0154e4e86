"""Output that cannot be shown, or that nobody reads, does not end the work."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from gancourse.files.streams import Steady, say, steady

SPEAK = "from gancourse.files.streams import steady\nwith steady():\n    {}\nprint('after')"


def python(code, **options):
    """Run some code, and return the finished process."""
    return subprocess.run([sys.executable, "-c", code], **options, text=True)


@pytest.mark.parametrize("encoding", ["ascii", "cp932", "cp874", "cp852", "latin-1", "utf-8"])
def test_signs_that_the_output_lacks_are_replaced(encoding):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    print("step 1 · 猫 ✓ \udcff", file=Steady(stream), flush=True)
    text = raw.getvalue().decode(encoding)
    assert text.startswith("step 1 ") and text.count(" ") == 5
    assert "?" in text


def test_what_the_output_can_show_is_kept():
    stream = io.StringIO()
    print("step 1 · 猫 ✓", file=Steady(stream))
    assert stream.getvalue() == "step 1 · 猫 ✓\n"


def test_work_goes_on_after_the_reader_has_gone():
    code = SPEAK.format("print('one', flush=True); input(); print('two', flush=True)")
    process = subprocess.Popen(
        [sys.executable, "-c", code + "\nopen('/dev/stderr', 'w').write('done')"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "one\n"
    process.stdout.close()
    process.stdout = None
    _, errors = process.communicate("\n")
    assert (process.returncode, errors) == (0, "done")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("ours", ["print('one')", "print('one', flush=True)"])
def test_a_full_disk_is_told_and_ends_nothing(ours):
    with open("/dev/full", "w") as full:
        result = python(SPEAK.format(ours), stdout=full, stderr=subprocess.PIPE)
        assert result.returncode == 0
        assert result.stderr == "gancourse: output was lost: No space left on device\n"
        assert python(SPEAK.format(ours), stdout=full, stderr=full).returncode == 0


def test_an_output_that_is_not_there_is_none(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with steady():
        assert sys.stdout is None
        say("nothing")


def test_the_streams_of_the_process_come_back():
    before = sys.stdout, sys.stderr
    with steady():
        assert (sys.stdout, sys.stderr) != before
    assert (sys.stdout, sys.stderr) == before
