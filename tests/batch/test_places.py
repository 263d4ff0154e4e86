"""What a batch may replace in its output folder."""

import errno
import os
import threading
from contextlib import suppress
from pathlib import Path

import nbformat
import pytest
from written import executed, leave, text

from gancourse.batch import lessons, places
from gancourse.batch.pages import page
from gancourse.errors import CourseError

PAGES = ("mine.html", "index.html", "claims.json")


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "lessons"
    folder.mkdir()
    nbformat.write(nbformat.v4.new_notebook(), folder / "mine.ipynb")
    return folder / "mine.ipynb"


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_outputs_of_an_earlier_run_may_be_replaced(source, out):
    places.check(source, out)
    leave(executed(text("# A")), out / "mine.ipynb")
    for _ in range(2):
        for name in PAGES:
            places.write(out / name, page("a", "b"))
        places.check(source, out)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_a_reader_has_changed_is_kept(source, out, name):
    for other in PAGES:
        places.write(out / other, "a")
    (out / name).write_text("my notes", encoding="utf-8")
    with pytest.raises(CourseError, match=rf"{name} would be overwritten.*another --out"):
        places.check(source, out)
    with pytest.raises(CourseError, match=name):
        places.write(out / name, "b")
    assert (out / name).read_text(encoding="utf-8") == "my notes"


@pytest.mark.parametrize("before", [None, "a"])
@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_kill_while_a_page_is_written_leaves_a_page_of_ours(out, monkeypatch, before, written):
    path, write, left = out / "index.html", places.write_atomically, written
    if before:
        places.write(path, before)

    def killed(*arguments):
        nonlocal left
        if not left:
            raise KeyboardInterrupt
        left -= 1
        write(*arguments)

    monkeypatch.setattr(places, "write_atomically", killed)
    with suppress(KeyboardInterrupt):
        places.write(path, "b")
    monkeypatch.undo()
    places.write(path, "c")
    assert path.read_text(encoding="utf-8") == "c"


def test_without_its_note_a_page_is_kept(out):
    places.write(out / "index.html", "a")
    (out / places.LEFT).unlink()
    with pytest.raises(CourseError, match=r"index\.html would be overwritten"):
        places.check_page(out / "index.html")


@pytest.mark.parametrize(
    "make",
    [
        lambda note: note.write_text(""),
        lambda note: note.write_text("my thesis"),
        lambda note: note.write_text("[]"),
        lambda note: note.write_text('{"index.html": 3}'),
        lambda note: note.write_text("[" * 9_999),
        lambda note: note.write_text(" " * 2 * places.MOST_LEFT),
        lambda note: note.symlink_to(note.parent.parent / "thesis.txt"),
        lambda note: note.symlink_to("nowhere"),
        lambda note: note.mkdir(),
    ],
    ids=["empty", "text", "list", "numbers", "deep", "large", "link", "dangling link", "folder"],
)
def test_what_has_the_name_of_the_note_and_is_none_is_refused(source, out, tmp_path, make):
    (tmp_path / "thesis.txt").write_text("{}", encoding="utf-8")
    make(out / places.LEFT)
    with pytest.raises(CourseError, match=r"left\.json would be overwritten.*move it away"):
        places.check(source, out)
    with pytest.raises(CourseError, match=r"left\.json would be overwritten"):
        places.write(out / "index.html", "a")
    assert (tmp_path / "thesis.txt").read_text(encoding="utf-8") == "{}"


@pytest.mark.parametrize("name", ["mine.ipynb", "index.html"])
def test_a_link_to_an_output_elsewhere_is_refused(source, out, tmp_path, name):
    other = tmp_path / "other"
    other.mkdir()
    leave(executed(text("# A")), other / "mine.ipynb")
    places.write(other / "index.html", "a")
    places.write(out / "index.html", "a")
    (out / "index.html").unlink()
    (out / name).symlink_to(other / name)
    with pytest.raises(CourseError, match=name):
        places.check(source, out)


@pytest.mark.parametrize("name", ["mine.ipynb", *PAGES])
def test_what_may_not_be_written_is_told_before_anything_runs(source, out, monkeypatch, name):
    leave(executed(text("# A")), out / "mine.ipynb")
    for page_name in PAGES:
        places.write(out / page_name, "a")
    places.check(source, out)
    may = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: str(path)[-9:] != name[-9:] and may(path, mode)
    )
    with pytest.raises(CourseError, match=f"cannot write .*{name}: you have no permission"):
        places.check(source, out)


def test_pages_have_names_of_their_own():
    names = ["index", "Index", "index.ipynb", "index.ipynb.ipynb", "mine"]
    found = [places.page(name).casefold() for name in names]
    assert "index.html" not in found and len(set(found)) == len(names) - 1  # Index is index


@pytest.mark.parametrize("how", ["same", "link", "hard link", "folder link"])
def test_a_lesson_is_not_its_own_output(source, out, how):
    leave(executed(text("# A")), source)
    if how == "same":
        out = source.parent
    elif how == "link":
        (out / "mine.ipynb").symlink_to(source)
    elif how == "hard link":
        os.link(source, out / "mine.ipynb")
    else:
        out.rmdir()
        out.symlink_to(source.parent)
    with pytest.raises(CourseError, match="lesson itself"):
        places.check(source, out)


@pytest.mark.parametrize(
    "change",
    [
        lambda book: book.cells.append(text("my notes")),
        lambda book: book.cells[0].update(source="other"),
        lambda book: book.cells.clear(),
        lambda book: book.cells[0].metadata.update(slideshow={"slide_type": "skip"}),
        lambda book: book.cells[0].metadata.update(tags=["mine"]),
        lambda book: book.metadata.update(authors=[{"name": "A. Reader"}]),
        lambda book: book.metadata.pop("gancourse"),
        lambda book: book.metadata.gancourse.run.pop("left"),
        lambda book: book.metadata.gancourse.update(run=[]),
    ],
)
def test_an_output_that_a_reader_has_changed_is_kept(source, out, change):
    book = executed(text("# A"))
    leave(book, out / "mine.ipynb")
    change(book)
    nbformat.write(book, out / "mine.ipynb")
    with pytest.raises(CourseError, match=r"mine\.ipynb would be overwritten.*another --out"):
        places.check(source, out)


def test_saving_an_output_again_is_no_change(source, out):
    leave(executed(text("# A")), out / "mine.ipynb")
    book = lessons.read(out / "mine.ipynb")
    book.metadata["language_info"] = {"name": "python"}
    book.cells[0].metadata.update(collapsed=True, jupyter={"source_hidden": True})
    del book.cells[0]["id"]
    book.nbformat_minor = 0  # as Colab writes it
    nbformat.write(book, out / "mine.ipynb")
    places.check(source, out)


@pytest.mark.parametrize("name", ["mine.ipynb", *PAGES])
@pytest.mark.parametrize("kind", ["text", "empty", "folder", "dangling link"])
def test_what_the_course_did_not_make_is_kept(source, out, name, kind):
    path = out / name
    if kind == "folder":
        path.mkdir()
    elif kind == "dangling link":
        path.symlink_to(out / "nowhere")
    else:
        path.write_text("text" if kind == "text" else "", encoding="utf-8")
    with pytest.raises(CourseError, match=name):
        places.check(source, out)


def test_an_output_goes_beside_one_that_a_reader_has_changed(out):
    path = out / "mine.ipynb"
    assert places.free(path, "done") == (path, "")
    path.write_text("changed", encoding="utf-8")
    other, why = places.free(path, "done")
    assert other == out / "mine-2.ipynb" and "changed" in why
    leave(executed(text("# A lesson called mine-2"), status="failed"), out / "mine-2.ipynb")
    assert places.free(path, "done")[0] == out / "mine-3.ipynb"
    leave(executed(text("# A"), lesson="mine.ipynb"), out / "mine-3.ipynb")
    assert places.free(path, "done")[0] == out / "mine-4.ipynb"
    leave(executed(text("# A"), lesson="mine.ipynb", status="failed"), out / "mine-4.ipynb")
    assert places.free(path, "done")[0] == out / "mine-4.ipynb"


def test_what_lies_beside_the_output_of_another_lesson_is_not_its_own(tmp_path, out):
    lesson = tmp_path / "mine-2.ipynb"
    nbformat.write(nbformat.v4.new_notebook(), lesson)
    leave(executed(text("# A"), lesson="mine-2.ipynb"), out / "mine-2.ipynb")
    places.check(lesson, out)
    leave(executed(text("# A"), lesson="mine.ipynb"), out / "mine-2.ipynb")
    with pytest.raises(CourseError, match=r"mine-2\.ipynb would be overwritten"):
        places.check(lesson, out)


def test_a_note_that_cannot_be_read_is_not_taken_for_another_file(out, monkeypatch):
    def stale(path):
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    places.write(out / "index.html", "a")
    monkeypatch.setattr(Path, "read_bytes", stale)
    with pytest.raises(CourseError, match=r"cannot read .*left\.json: the network drive"):
        places.digests(out)


@pytest.mark.parametrize("earlier", ["done", "failed", "interrupted"])
@pytest.mark.parametrize("now", ["done", "failed", "interrupted"])
def test_what_was_done_is_replaced_only_by_what_is_done(out, earlier, now):
    path = out / "mine.ipynb"
    leave(executed(text("# A"), status=earlier), path)
    other, why = places.free(path, now)
    kept = earlier == "done" and now != "done"
    assert other.name == ("mine-2.ipynb" if kept else "mine.ipynb")
    assert ("earlier run" in why) is kept


@pytest.mark.skipif(os.name != "posix", reason="a name has 255 bytes at most")
@pytest.mark.parametrize(
    ("name", "cut"),
    [("n" * 249, "n" * 247), ("nnn" + "猫" * 82, "nnn" + "猫" * 81)],
    ids=["letters", "signs"],
)
def test_an_output_beside_one_of_the_longest_name_has_a_shorter_one(out, name, cut):
    path = out / f"{name}.ipynb"
    path.write_text("changed", encoding="utf-8")
    other, _ = places.free(path, "done")
    assert other == out / f"{cut}-2.ipynb"
    other.write_text("changed", encoding="utf-8")
    assert places.free(path, "done")[0] == out / f"{cut}-3.ipynb"


def test_one_batch_at_a_time_collects_a_folder(out):
    order = []

    def other():
        with places.alone(out):
            order.append("other")

    thread = threading.Thread(target=other)
    with places.alone(out):
        thread.start()
        order.append("first")
    thread.join()
    assert order == ["first", "other"]


def test_a_batch_does_not_wait_for_ever(out, monkeypatch):
    monkeypatch.setattr(places, "LOCK_TIMEOUT", 0)
    with places.alone(out), pytest.raises(CourseError, match="another run is busy"):
        with places.alone(out):
            pass
