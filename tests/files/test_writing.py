"""Files are whole or absent, whatever ends the writing."""

import errno
import os
import subprocess
import sys
import time

import pytest

from gancourse.errors import CourseError
from gancourse.files import writing
from gancourse.files.writing import write_atomically


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    for content in (b"old", b"new"):
        write_atomically(tmp_path / "c", content)
    assert (tmp_path / "c").read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.ENOSPC, "Free some space"), (errno.EACCES, "another folder")]
)
def test_when_writing_fails_the_old_file_stays_whole(tmp_path, monkeypatch, number, remedy):
    path = tmp_path / "c"
    write_atomically(path, b"old")

    def fail(descriptor):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(CourseError, match=remedy):
            write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CourseError, match="absent"):
        write_atomically(tmp_path / "absent" / "c", b"x")


def test_a_new_file_has_the_permissions_of_any_new_file_and_an_old_one_keeps_its_own(tmp_path):
    open(tmp_path / "plain", "w").close()
    write_atomically(tmp_path / "new", b"x")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode
    (tmp_path / "new").chmod(0o600)
    write_atomically(tmp_path / "new", b"y")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


@pytest.fixture(params=["nameless", "hidden"])
def way(request, monkeypatch):
    """Write through a file without a name, or a hidden one as where the system lacks the first."""
    if request.param == "hidden":
        monkeypatch.setattr(writing, "_open_nameless", lambda folder: None)
    elif not hasattr(os, "O_TMPFILE"):
        pytest.skip("this system has no files without a name")


@pytest.mark.parametrize("length", [1, 239, 255])
def test_a_name_may_be_as_long_as_the_system_permits(tmp_path, way, length):
    for content in (b"old", b"new"):
        write_atomically(tmp_path / ("n" * length), content)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"]


def test_a_link_is_followed(tmp_path, way):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "file")
    for content in (b"new", b"newer"):
        write_atomically(tmp_path / "link", content)
        assert (tmp_path / "link").is_symlink()
        assert [p.read_bytes() for p in (tmp_path / "there").iterdir()] == [content]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(errno.EIO, "broken")])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_write_that_is_broken_off_leaves_nothing(tmp_path, way, monkeypatch, stop, call):
    def fail(*arguments):
        raise stop

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises((KeyboardInterrupt, CourseError)):
            write_atomically(tmp_path / "c", b"new")
    assert list(tmp_path.iterdir()) == []


WRITER = """
import os, sys
from gancourse.files import writing
if sys.argv[2] == "hidden":
    writing._open_nameless = lambda folder: None
print("begin", flush=True)
while True:
    for letter in b"ab":
        writing.write_atomically(sys.argv[1], bytes([letter]) * 3_000_000)
"""


def kinds(path):
    """Return which bytes occur in a file."""
    return {*path.read_bytes()}


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="needs kill and files without a name")
@pytest.mark.parametrize("kind", ["nameless", "hidden"])
def test_a_killed_writer_leaves_a_whole_file_and_nothing_after_the_next_write(tmp_path, kind):
    path = tmp_path / "c"
    path.write_bytes(b"a")
    for delay in (0, 0.003, 0.01, 0.02, 0.05):
        command = [sys.executable, "-c", WRITER, str(path), kind]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(delay)
            process.kill()
        assert len(kinds(path)) == 1
        assert len(list(tmp_path.iterdir())) <= 2
    write_atomically(path, b"end")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"c": b"end"}


@pytest.mark.parametrize("kind", ["nameless", "hidden"])
def test_two_writers_of_one_file_leave_it_whole(tmp_path, kind):
    path = tmp_path / "c"
    path.write_bytes(b"a")
    command = [sys.executable, "-c", WRITER, str(path), kind]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for writer in writers:
            writer.stdout.readline()
        for _ in range(30):
            assert len(kinds(path)) == 1
        assert [writer.poll() for writer in writers] == [None, None]
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()


def put_folder(path):
    path.mkdir()


def put_pipe(path):
    os.mkfifo(path)


def put_device_link(path):
    path.symlink_to("/dev/full")


def put_circle(path):
    path.symlink_to(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("put", [put_folder, put_pipe, put_device_link, put_circle])
def test_what_is_no_file_is_not_replaced(tmp_path, put):
    put(tmp_path / "c")
    before = (tmp_path / "c").lstat()
    with pytest.raises(CourseError, match="cannot write "):
        write_atomically(tmp_path / "c", b"x")
    assert (tmp_path / "c").lstat() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_as_a_folder_and_a_name_too_long_are_told(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(CourseError, match="is a file, not a folder"):
        write_atomically(tmp_path / "file" / "c", b"x")
    with pytest.raises(CourseError, match="too long"):
        write_atomically(tmp_path / ("n" * 300), b"x")


@pytest.mark.skipif(not writing.fcntl, reason="this system has no such locks")
def test_a_lock_that_somebody_else_keeps_does_not_stop_the_writing(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "PATIENCE", 0.1)
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        writing.fcntl.flock(folder, writing.fcntl.LOCK_EX)  # as flock(1) does
        write_atomically(tmp_path / "c", b"new")
    finally:
        os.close(folder)
    assert (tmp_path / "c").read_bytes() == b"new"


@pytest.mark.skipif(not writing.fcntl, reason="this system has no such locks")
def test_it_is_waited_for_once(tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr(writing, "PATIENCE", 0.1)
    monkeypatch.setattr(writing.time, "sleep", waits.append)
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        writing.fcntl.flock(folder, writing.fcntl.LOCK_EX)
        write_atomically(tmp_path / "c", b"new")
        first = len(waits)
        write_atomically(tmp_path / "c", b"newer")
    finally:
        os.close(folder)
    assert first and len(waits) == first
