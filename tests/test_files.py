"""Files are written whole or not at all."""

import errno
import os

import pytest

from gancourse.errors import CourseError
from gancourse.files import write_atomically


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    for content in (b"old", b"new"):
        write_atomically(tmp_path / "c", content)
    assert (tmp_path / "c").read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "may write to")]
)
def test_when_writing_fails_the_old_file_stays_whole(tmp_path, monkeypatch, number, words):
    path = tmp_path / "c"
    write_atomically(path, b"old")

    def fail(descriptor):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(CourseError, match=words):
            write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CourseError, match="cannot write"):
        write_atomically(tmp_path / "absent" / "c", b"x")
