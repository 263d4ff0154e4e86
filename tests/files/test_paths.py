"""What a user wrote as a path is used as meant, or the reason why not is told."""

import errno
import os
from pathlib import Path

import pytest

from gancourse.errors import CourseError
from gancourse.files.paths import folder, given, reason, target


def test_a_path_is_as_it_was_written(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert given("a b/ü", "--out") == Path("a b/ü")
    assert given("~/run", "--out") == tmp_path / "run"
    assert given(tmp_path / "new" / "er", "--out") == tmp_path / "new" / "er"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "--out is empty"),
        ("  ", "--out is empty"),
        ("a\0b", "NUL"),
        ("caf\udce9", r"caf\\udce9 is not UTF-8"),
        ("~no-such-user/x", "no home folder"),
        ("n" * 300, "too long"),
        ("a/" * 3000, "too long"),
        ("circle/x", "circle"),
        ("file/x", "is a file, not a folder"),
    ],
)
def test_what_cannot_be_a_path_is_told(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    Path("circle").symlink_to("circle")
    Path("file").touch()
    with pytest.raises(CourseError, match=message) as caught:
        given(text, "--out")
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400


def test_a_file_has_a_name():
    assert given("run/", "--out") == Path("run")
    with pytest.raises(CourseError, match="name of a file"):
        given("run/", "-o", file=True)


@pytest.mark.parametrize("name", ["file", "/dev/null", "dangling", "file/new"])
def test_a_folder_to_write_in_is_no_file(tmp_path, name):
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("absent")
    with pytest.raises(CourseError, match=r"--out: cannot use .*(a file|no folder)"):
        folder(tmp_path / name, "--out")


def test_a_folder_to_write_in_may_be_new_but_not_in_a_closed_one(tmp_path, monkeypatch):
    assert folder(tmp_path, "--out") == tmp_path
    assert folder(tmp_path / "a" / "b", "--out") == tmp_path / "a" / "b"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert folder("~/new", "--out") == tmp_path / "new"
    assert [*tmp_path.iterdir()] == []
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    for place in (tmp_path, tmp_path / "a" / "b"):
        with pytest.raises(CourseError, match="you have no permission"):
            folder(place, "--out")


def test_a_target_is_what_would_be_written(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "new")
    assert target(tmp_path / "link") == (tmp_path / "folder" / "new").resolve()
    assert target(tmp_path / "new") == (tmp_path / "new").resolve()
    (tmp_path / "old").touch()
    assert target(tmp_path / "old") == (tmp_path / "old").resolve()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (".", "it is a folder"),
        ("/dev/null", "it is a device"),
        ("absent/new", "there is no folder .*absent"),
        ("dangling", "there is no folder .*absent"),
        ("file/new", "is a file, not a folder"),
        ("n\0", "no file can have this name"),
        ("n" * 256, "too long"),
    ],
)
def test_what_cannot_be_written_is_told(tmp_path, name, message):
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "absent" / "new")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CourseError, match=f"cannot write .*{message}"):
        target(tmp_path / name)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("closed", ["folder", "folder/file"])
def test_what_is_closed_is_not_written(tmp_path, monkeypatch, closed):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    shut = (tmp_path / closed).resolve()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != shut)
    with pytest.raises(CourseError, match="you have no permission"):
        target(tmp_path / "folder" / "file")


@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.ENOSPC, "Free some space"), (errno.EROFS, "another folder")]
)
def test_the_systems_reason_comes_with_advice(number, remedy):
    assert remedy in reason(OSError(number, os.strerror(number)))


def test_an_unknown_reason_is_shown():
    assert reason(OSError(errno.EDOM, "odd \x1b")).startswith(r"odd \x1b. ")
    assert reason(OSError("only words")).startswith("only words. ")
