"""A web server on this machine that can be told to misbehave."""

import contextlib
import gzip
import hashlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gancourse.data.archives import Download


@dataclass
class Asked:
    """One request that the server got, and how much of the file it sent."""

    path: str
    begin: int
    sent: int


@dataclass
class Server:
    """What is served, how badly, and what was asked for."""

    address: str
    files: dict = field(default_factory=dict)
    moved: dict = field(default_factory=dict)  # path: where it is now
    kinds: dict = field(default_factory=dict)  # path: the Content-Type that is told
    break_after: dict = field(default_factory=dict)  # path: [bytes of the 1st answer, the 2nd, ...]
    knows_range: bool = True
    says_length: bool = True
    compresses: bool = False  # for those who accept it, as some servers do with every file
    asked: list = field(default_factory=list)
    hold_after: dict = field(default_factory=dict)  # path: bytes, after which the server waits
    held: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def offer(self, path, content, **known):
        """Serve ``content`` under ``path``, and return the Download that describes it."""
        self.files[path] = content
        dataset, _, file = path.strip("/").rpartition("/")
        facts = {
            "dataset": dataset,
            "file": file,
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "addresses": (self.address + path,),
        }
        return Download(**facts | known)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        state = self.server.state
        if self.path in state.moved:
            self.send_response(302)
            self.send_header("Location", state.moved[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = state.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        wanted = self.headers.get("Range")
        begin = int(wanted[len("bytes=") : -1]) if wanted and state.knows_range else 0
        self.send_response(206 if begin else 200)
        if state.compresses and "gzip" in self.headers.get("Accept-Encoding", ""):
            self.send_header("Content-Encoding", "gzip")
            content = gzip.compress(content)
        if self.path in state.kinds:
            self.send_header("Content-Type", state.kinds[self.path])
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        if state.says_length:
            self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        limits = state.break_after.get(self.path, [])
        body = content[begin:][: limits.pop(0) if limits else None]
        state.asked.append(Asked(self.path, begin, len(body)))
        if self.path in state.hold_after:
            count = state.hold_after[self.path]
            self.wfile.write(body[:count])
            state.held.set()
            state.released.wait()
            body = body[count:]
        with contextlib.suppress(OSError):  # whoever asked may be gone
            self.wfile.write(body)  # HTTP/1.0: the connection is closed after it

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.state = Server(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield http.state
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def no_server(monkeypatch):
    """An address that nobody answers at."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.server_close()
    return f"http://127.0.0.1:{http.server_port}"


@pytest.fixture
def cache(monkeypatch, tmp_path):
    folder = tmp_path / "cache"
    monkeypatch.setenv("GANCOURSE_CACHE", str(folder))
    return folder
