import errno
import gzip
import hashlib
import io
import os
import select
import socket
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from packing import CONTENT, GOOD, make_tar, make_zip

from gancourse.data import archives
from gancourse.data.archives import fetch, verify
from gancourse.errors import DataError

HALF = 300_000
PATH = "/set/file.gz"
SHA256 = "0123456789abcdef" * 4


def holds(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock")


def failure(download):
    with pytest.raises(DataError) as caught:
        fetch(download)
    assert not download.path.exists()
    return str(caught.value)


# Downloading


def test_a_file_arrives_whole_and_leaves_nothing_else_behind(server, cache):
    download = server.offer(PATH, CONTENT)
    assert fetch(download) == cache / "set" / "file.gz"
    assert download.path.read_bytes() == CONTENT
    assert holds(cache) == ["file.gz"]


def test_a_file_that_is_here_is_not_loaded_again(server, cache):
    download = server.offer(PATH, CONTENT)
    fetch(download)
    fetch(download)
    assert len(server.asked) == 1


def test_a_file_that_was_put_in_place_by_hand_is_taken(cache, no_server, server):
    download = replace(server.offer(PATH, CONTENT), addresses=(no_server,))
    download.path.parent.mkdir(parents=True)
    download.path.write_bytes(CONTENT)
    assert fetch(download).read_bytes() == CONTENT


def test_a_file_that_is_here_but_damaged_is_replaced(server, cache):
    download = server.offer(PATH, CONTENT)
    download.path.parent.mkdir(parents=True)
    download.path.write_bytes(CONTENT[:-1] + b"x")
    assert fetch(download).read_bytes() == CONTENT


def test_a_file_with_another_hash_is_removed_and_both_hashes_are_named(server, cache):
    download = server.offer(PATH, CONTENT)
    message = failure(replace(download, sha256=SHA256))
    assert download.sha256 in message
    assert SHA256 in message
    assert holds(cache) == []


def test_a_file_of_another_length_is_not_even_loaded(server, cache):
    download = server.offer(PATH, b"<html>Please log in to this network</html>")
    message = failure(replace(download, size=500_000))
    assert "42 bytes, expected 500000" in message
    assert holds(cache) in ([], [download.part.name])
    assert download.part.stat().st_size == 0


def test_a_file_that_is_not_there_is_told_by_its_address(server, cache):
    download = replace(server.offer(PATH, CONTENT), addresses=(server.address + "/elsewhere",))
    assert f"{server.address}/elsewhere: answered 404" in failure(download)


def test_without_a_network_the_message_says_what_was_tried_and_where_to_put_the_file(
    server, no_server, cache
):
    addresses = (no_server + "/a", no_server + "/b")
    download = replace(server.offer(PATH, CONTENT), addresses=addresses)
    message = failure(download)
    for part in (*addresses, str(download.path), download.sha256, "500,000 bytes"):
        assert part in message


@pytest.mark.parametrize("bad", ["absent", "missing", "other", "truncated"])
def test_the_next_address_is_tried_when_one_fails(server, no_server, cache, bad):
    good = server.offer(PATH, CONTENT)
    server.files["/other"] = CONTENT[::-1]
    server.files["/truncated"] = CONTENT[:HALF]
    first = no_server if bad == "absent" else f"{server.address}/{bad}"
    assert fetch(replace(good, addresses=(first, *good.addresses))).read_bytes() == CONTENT
    assert holds(cache) == ["file.gz"]


def test_a_broken_connection_is_taken_up_where_it_broke(server, cache):
    download = server.offer(PATH, CONTENT)
    server.break_after[PATH] = [HALF]
    assert fetch(download).read_bytes() == CONTENT
    first, second = server.asked
    assert (first.begin, first.sent) == (0, HALF)
    assert 0 < second.begin <= HALF
    assert second.sent == len(CONTENT) - second.begin


def test_bytes_are_asked_for_as_they_are(server, cache):
    """Compressed on the way, they would have another number, and could not be resumed."""
    server.compresses = True
    assert fetch(server.offer(PATH, CONTENT)).read_bytes() == CONTENT


def test_a_file_that_has_moved_is_followed_and_resumed(server, cache):
    download = server.offer(PATH, CONTENT)
    server.moved["/old"] = PATH
    server.break_after[PATH] = [HALF]
    old = replace(download, addresses=(server.address + "/old",))
    assert fetch(old).read_bytes() == CONTENT
    assert server.asked[1].begin > 0


def test_a_truncated_file_is_never_taken_for_whole_and_is_completed_later(server, cache):
    download = server.offer(PATH, CONTENT)
    server.break_after[PATH] = [HALF, 0]  # the second answer ends before it begins
    message = failure(download)
    arrived = download.part.stat().st_size
    assert 0 < arrived <= HALF
    assert f"{arrived:,} of 500,000 bytes" in message
    assert fetch(download).read_bytes() == CONTENT
    assert server.asked[-1].begin == arrived
    assert holds(cache) == ["file.gz"]


def test_truncation_is_seen_although_the_server_tells_no_length(server, cache):
    download = server.offer(PATH, CONTENT)
    server.says_length = False
    server.break_after[PATH] = [HALF, 0]
    assert f"{HALF:,} of 500,000 bytes" in failure(download)


def test_a_file_that_is_too_long_is_not_loaded_to_its_end(server, cache):
    download = server.offer(PATH, CONTENT)
    server.says_length = False
    message = failure(replace(download, size=100_000))
    assert "more than 100000 bytes" in message
    assert download.part.stat().st_size < HALF


def test_a_connection_that_always_breaks_is_given_up(server, cache):
    download = server.offer(PATH, CONTENT)
    server.break_after[PATH] = [70_000] * 100
    assert "5 times" in failure(download)
    assert len(server.asked) == 5


def test_an_interrupted_download_goes_on_at_the_next_call(server, cache, monkeypatch):
    download = server.offer(PATH, CONTENT)
    with monkeypatch.context() as patch:
        write = archives._Writer.write

        def interrupted(writer, chunk):
            write(writer, chunk)
            if writer.file.tell() >= HALF:
                raise KeyboardInterrupt

        patch.setattr(archives._Writer, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch(download)
    assert not download.path.exists()
    arrived = download.part.stat().st_size
    assert HALF <= arrived < len(CONTENT)
    assert fetch(download).read_bytes() == CONTENT
    assert [asked.begin for asked in server.asked] == [0, arrived]


def test_of_two_fetches_at_once_one_loads_and_the_other_waits_and_finds_it(server, cache):
    download = server.offer(PATH, CONTENT)
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(fetch, [download] * 4))
    assert paths == [download.path] * 4
    assert download.path.read_bytes() == CONTENT
    assert len(server.asked) == 1
    assert holds(cache) == ["file.gz"]


FETCH = """
import sys
from gancourse.data.archives import Download, fetch
size, sha256, address = sys.argv[1:]
download = Download(
    dataset="set", file="file.gz", size=int(size), sha256=sha256, addresses=(address,)
)
fetch(download)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="select takes no pipes there")
def test_a_fetch_that_waits_for_one_that_is_killed_goes_on_where_that_was(server, cache):
    download = server.offer(PATH, CONTENT)
    server.hold_after[PATH] = HALF
    arguments = (str(len(CONTENT)), download.sha256, download.addresses[0])
    first, second = (
        subprocess.Popen(
            [sys.executable, "-c", FETCH, *arguments],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for _ in range(2)
    )
    # Whichever came first holds the lock; the other says that it waits.
    waiting = select.select([first.stderr, second.stderr], [], [])[0][0]
    assert "Waiting for another process" in waiting.readline()
    assert server.held.wait(60)
    loading, other = (first, second) if waiting is second.stderr else (second, first)
    server.hold_after.clear()
    loading.kill()
    server.released.set()
    loading.communicate()
    assert other.wait(60) == 0
    other.communicate()
    assert download.path.read_bytes() == CONTENT
    assert holds(cache) == ["file.gz"]


def test_a_server_that_ignores_ranges_sends_everything_again(server, cache):
    download = server.offer(PATH, CONTENT)
    server.knows_range = False
    server.break_after[PATH] = [HALF]
    assert fetch(download).read_bytes() == CONTENT
    assert [asked.begin for asked in server.asked] == [0, 0]


@pytest.mark.parametrize("length", [HALF, len(CONTENT), len(CONTENT) + 1])
def test_what_was_left_of_another_file_is_thrown_away(server, cache, length):
    download = server.offer(PATH, CONTENT)
    download.part.parent.mkdir(parents=True)
    download.part.write_bytes(bytes(length))
    assert fetch(download).read_bytes() == CONTENT
    assert holds(cache) == ["file.gz"]


def test_what_was_left_of_another_version_is_not_touched(server, cache):
    old = server.offer(PATH, CONTENT[::-1])
    old.part.parent.mkdir(parents=True)
    old.part.write_bytes(b"old")
    new = server.offer(PATH, CONTENT)
    assert fetch(new).read_bytes() == CONTENT
    assert [asked.begin for asked in server.asked] == [0]


def test_a_download_that_only_lacked_its_name_needs_no_server(server, no_server, cache):
    download = replace(server.offer(PATH, CONTENT), addresses=(no_server,))
    download.part.parent.mkdir(parents=True)
    download.part.write_bytes(CONTENT)
    assert fetch(download).read_bytes() == CONTENT


def test_a_cache_that_cannot_be_written_is_told(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    monkeypatch.setenv("GANCOURSE_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"file.*GANCOURSE_CACHE"):
        fetch(server.offer(PATH, CONTENT))
    assert server.asked == []


def test_a_full_disk_is_told_and_is_not_taken_for_a_bad_connection(server, cache, monkeypatch):
    class Full(io.FileIO):
        def write(self, chunk):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archives, "open", Full, raising=False)
    download = server.offer(PATH, CONTENT)
    assert "the disk is full" in failure(download)
    monkeypatch.undo()
    monkeypatch.setenv("GANCOURSE_CACHE", str(cache))
    assert fetch(download).read_bytes() == CONTENT


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_disk_that_is_really_full_is_told(server, cache):
    download = server.offer(PATH, CONTENT)
    download.part.parent.mkdir(parents=True)
    download.part.symlink_to("/dev/full")
    assert "the disk is full" in failure(download)


def test_verify_tells_missing_from_damaged(server, cache):
    download = server.offer(PATH, CONTENT)
    with pytest.raises(DataError, match="gancourse data fetch set"):
        verify(download)
    fetch(download)
    verify(download)
    download.path.write_bytes(CONTENT[:-1])
    with pytest.raises(DataError, match=r"file\.gz is damaged"):
        verify(download)


# Files whose hash nobody publishes


PACKED = gzip.compress(CONTENT, mtime=0)


def first_seen(server, content=PACKED, **known):
    return server.offer(PATH, content, sha256=None, **known)


@pytest.mark.parametrize("content", [b"", b"x", b"\xff\xfe\n", b"0" * 63])
def test_a_record_that_is_none_is_told(server, cache, content):
    download = server.offer(PATH, PACKED, sha256=None)
    download.record.parent.mkdir(parents=True, exist_ok=True)
    download.record.write_bytes(content)
    assert "should hold the SHA-256" in failure(download)


def test_a_server_that_speaks_another_language_is_told(cache):
    listener = socket.create_server(("127.0.0.1", 0))

    def answer():
        for _ in range(2):
            connection, _ = listener.accept()
            connection.recv(1_000)
            connection.sendall(b"220 mail.example ESMTP\r\n")
            connection.close()

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/file.gz"
    download = archives.Download(
        dataset="set", file="file.gz", size=None, sha256=None, addresses=(address,)
    )
    assert "could not be downloaded" in failure(download)
    listener.close()


def test_the_hash_of_the_first_file_is_recorded_and_later_ones_are_held_to_it(server, cache):
    download = first_seen(server)
    fetch(download)
    assert download.record.read_text(encoding="utf-8") == f"{download.known_hash}  file.gz\n"
    assert download.known_hash == hashlib.sha256(PACKED).hexdigest()
    verify(download)
    assert holds(cache) == ["file.gz", "file.gz.sha256"]
    download.path.unlink()
    server.files[PATH] = gzip.compress(CONTENT[::-1], mtime=0)
    message = failure(replace(download, size=len(server.files[PATH])))
    assert f"expected {download.known_hash}, as recorded" in message
    server.files[PATH] = PACKED
    assert fetch(download).read_bytes() == PACKED


def test_a_recorded_file_that_changes_is_damaged(server, cache):
    download = first_seen(server)
    fetch(download)
    download.path.write_bytes(gzip.compress(b"other"))
    with pytest.raises(DataError, match=download.known_hash):
        verify(download)


@pytest.mark.parametrize("kind", ["gzip", "zip"])
def test_a_first_file_that_is_damaged_is_never_recorded(server, cache, tmp_path, kind):
    if kind == "gzip":
        content = PACKED
    else:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("a.txt", CONTENT)
        content = (tmp_path / "a.zip").read_bytes()
    bad = bytearray(content)
    bad[len(bad) // 2] ^= 255
    download = first_seen(server, bytes(bad))
    assert "damaged" in failure(download)
    assert holds(cache) == []
    server.files["/good"] = content
    mirror = replace(download, addresses=(*download.addresses, server.address + "/good"))
    assert fetch(mirror).read_bytes() == content


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.zip", b"\r\n<!DOCTYPE html><title>Sorry", "web page"),
        ("a.tar.gz", b"<html>", "web page"),
        ("a.gz", b"quota exceeded", "no archive; it begins with b'quota exceeded'"),
        ("a.tar.gz", gzip.compress(b"<html>", mtime=0), "no tar archive"),
        ("a.zip", gzip.compress(b"<html>", mtime=0), "no zip archive"),
    ],
)
def test_what_is_no_archive_is_refused_at_once(server, cache, name, content, found):
    download = server.offer(f"/set/{name}", content, sha256=None)
    assert found in failure(download)
    assert holds(cache) == []
    download.path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        verify(download)
    assert f"{name} is damaged" in str(caught.value)
    assert found in str(caught.value)
    assert holds(cache) == [name]


def test_an_empty_file_is_no_archive(server, cache):
    download = server.offer("/set/a.zip", b"", sha256=None)
    download.path.parent.mkdir(parents=True)
    download.path.write_bytes(b"")
    with pytest.raises(DataError, match=r"a\.zip is damaged: .*empty"):
        verify(download)


@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz", "tgz"])
def test_an_archive_of_the_kind_that_its_name_says_is_taken(server, cache, tmp_path, ending):
    if ending == "zip":
        archive = make_zip(tmp_path / "good", GOOD)
    else:
        archive = make_tar(tmp_path / "good", GOOD, "w" if ending == "tar" else "w:gz")
    download = server.offer(f"/set/a.{ending}", archive.read_bytes(), sha256=None)
    assert fetch(download).read_bytes() == archive.read_bytes()


def test_a_file_put_in_place_by_hand_is_the_first_one_if_it_is_whole(server, cache, no_server):
    download = replace(first_seen(server), addresses=(no_server,))
    download.path.parent.mkdir(parents=True)
    download.path.write_bytes(PACKED[:-100])
    with pytest.raises(DataError, match=r"file\.gz is damaged"):
        verify(download)
    assert not download.record.exists()
    download.path.write_bytes(PACKED)
    verify(download)
    assert download.record.exists()
    assert fetch(download) == download.path


def test_a_damaged_record_is_told(server, cache):
    download = first_seen(server)
    fetch(download)
    download.record.write_text("nothing", encoding="utf-8")
    with pytest.raises(DataError, match=r"sha256 .*Delete both"):
        verify(download)


def test_a_file_of_unknown_size_is_asked_for_it_and_goes_on_where_it_broke(server, cache):
    download = first_seen(server, size=None)
    server.break_after[PATH] = [0, HALF]  # the question, and the first answer
    assert fetch(download).read_bytes() == PACKED
    assert [asked.begin for asked in server.asked][:2] == [0, 0]
    assert 0 < server.asked[2].begin <= HALF


def test_a_server_that_hides_the_size_is_passed_over(server, cache, no_server):
    download = first_seen(server, size=None)
    server.says_length = False
    assert "how long" in failure(download)
    message = failure(replace(download, addresses=(no_server, server.address + "/none")))
    assert "404" in message
    assert "unknown size" in message
