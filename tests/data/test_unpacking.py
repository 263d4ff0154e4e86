"""Archives, harmless and hostile."""

import errno
import gzip
import os
import stat
import tarfile
import zipfile

import pytest
from packing import CONTENT, GOOD, make_tar, make_zip

from gancourse.data import unpacking
from gancourse.data.unpacking import unpack
from gancourse.errors import DataError

ESCAPES = ["../evil", "a/../../evil", "/evil", "..\\evil", "C:\\evil", "C:evil", "\\\\host\\evil"]


def refused(archive, folder):
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(DataError) as caught:
        unpack(archive, folder)
    assert sorted(folder.parent.rglob("*")) == before
    return str(caught.value)


@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz", "tar.xz"])
def test_archives_are_unpacked_with_their_folders(tmp_path, ending):
    archive = tmp_path / f"good.{ending}"
    if ending == "zip":
        make_zip(archive, GOOD)
    else:
        make_tar(archive, GOOD, f"w:{ending[4:]}" if ending != "tar" else "w")
    folder = unpack(archive, tmp_path / "here")
    assert (folder / "a.txt").read_bytes() == b"first"
    assert (folder / "deep/er/b.bin").read_bytes() == CONTENT
    assert sorted(path.name for path in tmp_path.iterdir()) == [archive.name, "here"]


def test_an_archive_with_entries_for_folders_is_unpacked(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in (".", "./empty"):
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE
            archive.addfile(info)
    assert (unpack(tmp_path / "a.tar", tmp_path / "tar") / "empty").is_dir()
    make_zip(tmp_path / "a.zip", {"empty/": b"", "empty/a": b"1"})
    assert (unpack(tmp_path / "a.zip", tmp_path / "zip") / "empty" / "a").read_bytes() == b"1"


@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize("name", ESCAPES)
def test_an_entry_that_leaves_the_folder_is_refused_before_anything_is_written(
    tmp_path, make, name
):
    archive = make(tmp_path / "evil", {"harmless": b"1", name: b"2"})
    assert "outside" in refused(archive, tmp_path / "box" / "here")


def test_a_link_in_a_zip_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc")
        archive.writestr("link/passwd", "evil")
    assert "'link'" in refused(tmp_path / "evil.zip", tmp_path / "here")


@pytest.mark.skipif(not hasattr(tarfile, "data_filter"), reason="from Python 3.10.12 on")
def test_a_file_of_a_tar_gets_no_special_rights(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("tool")
        info.mode = 0o6777
        archive.addfile(info)
    mode = (unpack(tmp_path / "a.tar", tmp_path / "here") / "tool").stat().st_mode
    assert not mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH)


@pytest.mark.parametrize("kind", ["SYMTYPE", "LNKTYPE", "CHRTYPE", "BLKTYPE", "FIFOTYPE"])
def test_a_link_or_device_in_a_tar_is_refused(tmp_path, kind):
    with tarfile.open(tmp_path / "evil.tar", "w") as archive:
        info = tarfile.TarInfo("odd")
        info.type, info.linkname = getattr(tarfile, kind), "harmless"
        archive.addfile(info)
    assert "'odd'" in refused(tmp_path / "evil.tar", tmp_path / "here")


def test_a_damaged_archive_leaves_nothing_behind(tmp_path):
    archive = make_zip(tmp_path / "bad.zip", GOOD)
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 0xFF
    archive.write_bytes(content)
    assert "delete it and fetch it again" in refused(archive, tmp_path / "here")


def test_a_truncated_archive_leaves_nothing_behind(tmp_path):
    archive = make_tar(tmp_path / "bad.tar.gz", GOOD, "w:gz")
    archive.write_bytes(archive.read_bytes()[:-1000])
    assert "delete it and fetch it again" in refused(archive, tmp_path / "here")


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "a.rar").write_bytes(b"Rar!")
    assert ".zip" in refused(tmp_path / "a.rar", tmp_path / "here")


def test_a_full_disk_while_unpacking_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    archive = make_zip(tmp_path / "good.zip", GOOD)
    monkeypatch.setattr(unpacking.shutil, "copyfileobj", full)
    assert os.strerror(errno.ENOSPC) in refused(archive, tmp_path / "here")


def test_a_folder_that_is_there_is_complete_and_left_alone(tmp_path):
    (tmp_path / "here").mkdir()
    archive = make_zip(tmp_path / "good.zip", GOOD)
    assert unpack(archive, tmp_path / "here") == tmp_path / "here"
    assert list((tmp_path / "here").iterdir()) == []


# More comes out than should


@pytest.fixture
def few(monkeypatch):
    """So few bytes may come out that a test can exceed them."""
    monkeypatch.setattr(unpacking, "ALLOWANCE", 100_000)


def header(name, kind, size):
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def sparse(path):
    """A tar with one file of 3 GB, of which nothing is stored."""
    info = tarfile.TarInfo("big.bin")
    info.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[386:483] = bytes(97)
    block[483:495] = b"%011o " % (3 << 30)
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    path.write_bytes(bytes(block) + bytes(1024))


def long_header(kind):
    """A tar whose first header says that a name or its attributes take 3 GB."""

    def make(path):
        with gzip.open(path, "wb") as file:
            file.write(header("p", kind, 3 << 30) + bytes(5_000_000))

    return make


BOMBS = {
    "zip": lambda p: make_zip(p, {"a": bytes(5_000_000)}),
    "zip-of-many": lambda p: make_zip(p, {str(n): bytes(90_000) for n in range(30)}),
    "tar": lambda p: make_tar(p, {"a": bytes(5_000_000)}, "w:gz"),
    "tar-bz2": lambda p: make_tar(p, {"a": bytes(5_000_000)}, "w:bz2"),
    "tar-xz": lambda p: make_tar(p, {"a": bytes(5_000_000)}, "w:xz"),
    "tar-sparse": sparse,
    "tar-pax": long_header(tarfile.XHDTYPE),
    "tar-pax-for-all": long_header(tarfile.XGLTYPE),
    "tar-long-name": long_header(tarfile.GNUTYPE_LONGNAME),
    "tar-long-link": long_header(tarfile.GNUTYPE_LONGLINK),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_an_archive_that_would_fill_the_disk_or_the_memory_is_refused(tmp_path, few, kind):
    BOMBS[kind](tmp_path / "bomb")
    message = refused(tmp_path / "bomb", tmp_path / "here")
    assert "come out of it" in message or "a header has" in message


def test_an_archive_with_too_many_entries_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "MOST_ENTRIES", 3)
    for make in (make_zip, make_tar):
        archive = make(tmp_path / "many", {str(n): b"" for n in range(4)})
        assert "more than 3 entries" in refused(archive, tmp_path / "here")


@pytest.mark.parametrize(
    "name",
    ["n" * 300, "d/" * 3000 + "x", "a\0b", "CON/\x1b[31m"],
    ids=["long", "deep", "nul", "odd"],
)
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_odd_names_are_unpacked_or_refused_and_leave_nothing_behind(tmp_path, make, name):
    archive = make(tmp_path / "odd", {"good": b"", name: b"1"})
    try:
        unpack(archive, tmp_path / "here")
    except DataError as problem:
        assert str(problem).isprintable()
        assert not (tmp_path / "here").exists()
    assert not list(tmp_path.glob("*.part"))


def test_an_entry_without_a_name_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(""), b"x")
    assert "neither" in refused(tmp_path / "a.zip", tmp_path / "here")


def test_an_archive_with_nothing_in_it_is_refused(tmp_path):
    (tmp_path / "zeros.gz").write_bytes(gzip.compress(bytes(2**20)))
    for archive in (tmp_path / "zeros.gz", make_zip(tmp_path / "a.zip", {})):
        assert "nothing in it" in refused(archive, tmp_path / "here")


def test_what_a_killed_process_left_is_removed(tmp_path):
    for name in ("here.part", "here.123.part"):
        (tmp_path / name / "deep").mkdir(parents=True)
    (tmp_path / "another.part").mkdir()
    unpack(make_zip(tmp_path / "good.zip", GOOD), tmp_path / "here")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["another.part", "good.zip", "here"]
