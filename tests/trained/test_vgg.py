"""VGG19's features come from a file that is served, checked and kept; here from localhost."""

import functools
import hashlib
import io
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from torchvision.models import vgg19

import gancourse
from gancourse.errors import CourseError
from gancourse.gans import srgan
from gancourse.trained import vgg


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Return a function that serves a state dict and returns its address."""
    monkeypatch.setenv("GANCOURSE_CACHE", str(tmp_path / "cache"))
    served = tmp_path / "served"
    served.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=served))
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def put(state, digits=None):
        file = io.BytesIO()
        torch.save(state, file)
        data = file.getvalue()
        name = f"vgg19-{digits or hashlib.sha256(data).hexdigest()[:8]}.pth"
        (served / name).write_bytes(data)
        return f"http://127.0.0.1:{server.server_address[1]}/{name}"

    yield put
    server.shutdown()
    server.server_close()


def weights(value=0.0):
    """Return weights of VGG19 that are all one number, which takes no room in a file."""
    with torch.device("meta"):
        shapes = {name: p.shape for name, p in vgg19(weights=None).state_dict().items()}
    return {name: torch.tensor(value).expand(shape) for name, shape in shapes.items()}


def test_it_is_downloaded_once_and_gives_a_map_before_each_pooling(serve, tmp_path):
    address = serve(weights())
    phi = vgg.load(address)
    for file in (tmp_path / "served").iterdir():
        file.unlink()
    again = vgg.load(address)  # from the cache folder
    for net in (phi, again):
        maps = net.encode(torch.zeros(1, 3, 32, 32))
        shapes = [(64, 32), (128, 16), (256, 8), (512, 4), (512, 2)]
        assert [tuple(m.shape) for m in maps] == [(1, c, side, side) for c, side in shapes]


def test_the_maps_are_those_of_torchvisions_network():
    torch.manual_seed(0)
    with torch.device("meta"):
        layers = vgg19(weights=None).features
    layers.to_empty(device="cpu")
    for weight in layers.parameters():
        torch.nn.init.normal_(weight, 0, 0.05)
    phi, images = vgg.Features(layers), torch.rand(2, 3, 32, 32) * 2 - 1
    mean, std = torch.tensor(vgg.MEAN).view(3, 1, 1), torch.tensor(vgg.STD).view(3, 1, 1)
    seen = ((images + 1) / 2 - mean) / std
    maps = phi.encode(images)
    torch.testing.assert_close(maps[1], layers[:9](seen))  # conv2_2 and its ReLU: phi_2,2
    torch.testing.assert_close(maps[4], layers[:36](seen))  # conv5_4 and its ReLU: phi_5,4


def test_a_file_with_another_hash_is_refused(serve):
    with pytest.raises(CourseError, match="hash"):
        vgg.load(serve(weights(), digits="01234567"))


def test_a_file_without_the_weights_is_refused(serve):
    with pytest.raises(CourseError, match="does not hold"):
        vgg.load(serve({"features.0.weight": torch.zeros(64, 3, 3, 3)}))


def test_a_file_that_would_run_code_is_refused(serve):
    with pytest.raises(CourseError, match="Delete it"):
        vgg.load(serve({"features.0.weight": threading.Thread}))


def test_what_cannot_be_reached_is_named(serve):
    with pytest.raises(CourseError, match=r"127\.0\.0\.1:9"):
        vgg.load("http://127.0.0.1:9/vgg19-01234567.pth")


def test_only_what_the_promises_name_downloads_or_unpickles():
    root = Path(gancourse.__file__).parent
    found = {}
    for word in ("urllib.request", "torch.hub", "pickle.", "torch.load", "socket.", "requests."):
        for path in root.rglob("*.py"):
            if word in path.read_text(encoding="utf-8"):
                found.setdefault(path.relative_to(root).as_posix(), set()).add(word)
    assert found == {  # all of it is told in docs/promises.md
        "data/archives.py": {"urllib.request"},  # of `gancourse data fetch`
        "training/parallel.py": {"socket."},  # the address that torchrun tells
        "trained/vgg.py": {"torch.hub", "pickle."},
    }


def test_of_the_presets_of_srgan_only_the_papers_needs_a_download():
    needs = {name for name, cfg in srgan.PRESETS.items() if cfg.features == "vgg19"}
    assert needs == {"paper"}
