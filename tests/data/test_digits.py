import gzip
import json
import shutil
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch

import gancourse.data
from gancourse.data import DATASETS, ImageData, check, digits, fetch, load, own, shipped
from gancourse.data.digits import read_idx
from gancourse.errors import CourseError, DataError

# What ships


@pytest.mark.parametrize(
    ("name", "train", "test"), [("digits", 4000, 1000), ("fashion", 8000, 2000)]
)
def test_the_shipped_sets_are_balanced_and_their_splits_share_no_picture(name, train, test):
    parts = [load(name, split=split) for split in ("train", "test")]
    for data, count in zip(parts, (train, test), strict=True):
        assert data.pixels.shape == (count, 1, 28, 28)
        assert data.labels.bincount().tolist() == [count // 10] * 10
        assert data.num_classes == len(data.classes) == 10
    seen = [{picture.numpy().tobytes() for picture in data.pixels} for data in parts]
    assert not seen[0] & seen[1]


@pytest.mark.parametrize("name", ["digits", "fashion"])
def test_the_first_pictures_are_a_fair_sample(name):
    assert load(name, limit=50).labels.bincount().tolist() == [5] * 10


@pytest.mark.parametrize("name", [name for name, known in DATASETS.items() if known.files])
@pytest.mark.parametrize("split", ["train", "test"])
def test_values_lie_within_minus_one_and_one_and_reach_both_ends(name, split):
    data = load(name, split=split)
    for side in (data,) if isinstance(data, ImageData) else (data.a, data.b):
        low, high = side.images().aminmax()
        assert (low.item(), high.item()) == (-1.0, 1.0)


def test_an_average_zero_is_dark_in_the_middle_and_an_average_one_is_bright():
    """Labels and pictures belong together, and ink is bright on dark."""
    data = load("digits")
    middle = data.images()[:, 0, 13:15, 13:15].mean((1, 2))
    assert middle[data.labels == 0].mean() < -0.8
    assert middle[data.labels == 1].mean() > 0.5


@pytest.mark.parametrize("damage", ["truncated", "changed", "empty", "renamed"])
def test_a_damaged_shipped_file_is_told(tmp_path, monkeypatch, damage):
    path = tmp_path / "digits.npz"
    content = bytearray(shipped("digits.npz").read_bytes())
    if damage == "truncated":
        content = content[:-1000]
    elif damage == "changed":
        content[len(content) // 2] ^= 0xFF
    elif damage == "empty":
        content = b""
    path.write_bytes(content)
    if damage == "renamed":
        np.savez(path, pictures=np.zeros(3))
    monkeypatch.setattr(digits, "shipped", lambda name: path)
    with pytest.raises(DataError, match=r"digits\.npz .*[Ii]nstall"):
        load("digits")


# What is downloaded


def idx(array):
    """Write an array in MNIST's format."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def small_mnist(server, cache, monkeypatch):
    """Twenty and ten pictures in place of MNIST's 70,000, on a server here."""
    rng = np.random.default_rng(0)
    downloads = {}
    for prefix, count in (("train", 20), ("t10k", 10)):
        images = rng.integers(0, 256, (count, 28, 28))
        images[0, 0, :2] = 0, 255
        for kind, array in (("images-idx3", images), ("labels-idx1", np.arange(count) % 10)):
            file = f"{prefix}-{kind}-ubyte.gz"
            content = gzip.compress(idx(array))
            downloads[file] = server.offer(f"/mnist/{file}", content)
    monkeypatch.setattr(digits, "MNIST_FILES", downloads)
    known = replace(DATASETS["mnist"], downloads=tuple(downloads.values()))
    monkeypatch.setitem(DATASETS, "mnist", known)
    return downloads


def test_a_set_that_is_not_here_is_not_loaded_silently(small_mnist, server):
    for call in (load, check):
        with pytest.raises(DataError, match="gancourse data fetch mnist"):
            call("mnist")
    assert server.asked == []


def test_a_fetched_set_is_loaded_and_reaches_both_ends_of_the_range(small_mnist, server, cache):
    report = fetch("mnist", progress=False)
    assert report.count("as it was published") == 4
    for split, count in (("train", 20), ("test", 10)):
        data = load("mnist", split=split)
        assert data.pixels.shape == (count, 1, 28, 28)
        assert data.labels.tolist() == [i % 10 for i in range(count)]
        assert [end.item() for end in data.images().aminmax()] == [-1.0, 1.0]
    fetch("mnist", progress=False)
    assert len(server.asked) == 4
    assert "which is here" in str(DATASETS["mnist"])


def test_a_download_that_was_changed_since_is_told_and_mended_by_fetching(small_mnist):
    fetch("mnist", progress=False)
    path = small_mnist["train-labels-idx1-ubyte.gz"].path
    path.write_bytes(gzip.compress(idx(np.zeros(20))))
    for call in (load, check):
        with pytest.raises(DataError, match=r"damaged.*gancourse data fetch mnist"):
            call("mnist")
    fetch("mnist", progress=False)
    assert load("mnist").labels.tolist() == [i % 10 for i in range(20)]


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_published_facts_of_a_download_are_complete(name):
    downloads = DATASETS[name].downloads
    assert len({download.sha256 for download in downloads}) == len(downloads) == 4
    for download in downloads:
        assert len(bytes.fromhex(download.sha256)) == 32
        assert len(download.addresses) == 2
        assert all(address.endswith("/" + download.file) for address in download.addresses)


@pytest.mark.parametrize("shape", [(5,), (3, 4, 2), (0,)])
def test_idx_files_are_read_back(shape):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    assert np.array_equal(read_idx(idx(array), "file"), array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "file is not an IDX"),
        (b"\x1f\x8b\x08\x00", "file is not an IDX"),
        (b"\0\0\x0d\x01" + bytes(8), "file is not an IDX"),  # floats
        (b"\0\0\x08\0", "file is not an IDX"),  # no dimension
        (idx(np.zeros((3, 4)))[:7], "truncated"),  # within the header
        (idx(np.zeros((3, 4)))[:-1], "truncated"),
        (idx(np.zeros((3, 4))) + b"\0", "too long"),
    ],
)
def test_idx_files_that_are_none_or_damaged_are_refused(content, message):
    with pytest.raises(DataError, match=message):
        read_idx(content, "file")


# Names


@pytest.mark.parametrize(
    ("name", "modes"), [("ring", 8), ("ring:12", 12), ("grid", 25), ("grid:16", 16)]
)
def test_mixtures_are_loaded_by_their_number_of_modes(name, modes):
    mixture = load(name)
    assert len(mixture.means) == modes
    assert mixture.name == name


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("digit", {}, "Did you mean 'digits'"),
        ("digits:5", {}, "digits:5"),
        ("ring:", {}, "ring: .*number of modes"),
        ("ring:many", {}, "number of modes.*'many'"),
        ("ring:-1", {}, "number of modes.*'-1'"),
        ("ring:99999999999", {}, "up to 9,999"),
        ("grid:" + "9" * 5000, {}, "up to 9,999"),
        ("toons:100001", {}, "up to 100,000"),
        ("scenes:" + "9" * 5000, {}, "up to 100,000"),
        ("grid:10", {}, "10.* 9 or 16"),
        ("ring", {"limit": 5}, "ring .*limit"),
        ("ring", {"image_size": 32}, "ring .*image_size"),
        ("digits", {"split": "valid"}, "train, test"),
        ("digits", {"limit": 4001}, "1 to 4,000"),
    ],
)
def test_what_cannot_be_loaded_is_explained(name, options, message):
    with pytest.raises(CourseError, match=message):
        load(name, **options)


def test_pictures_are_brought_to_the_size_that_a_model_wants():
    assert load("digits", image_size=32, limit=5).shape == (1, 32, 32)
    assert load("fashion", image_size=16, split="test").shape == (1, 16, 16)


# Checks


@pytest.mark.parametrize("name", [*(n for n in DATASETS if n not in own.KINDS), "ring:12"])
def test_every_set_that_is_here_passes_its_check(name, cache):
    if name in DATASETS and DATASETS[name].downloads:
        with pytest.raises(DataError, match=f"gancourse data fetch {name}"):
            check(name)
    else:
        assert check(name).startswith(f"{name}: ")


def test_a_shipped_file_with_another_hash_fails_its_check(tmp_path, monkeypatch):
    for name in ("digits.npz", "digits.json"):
        shutil.copy(shipped(name), tmp_path)
    with open(tmp_path / "digits.npz", "ab") as file:
        file.write(b"x")
    monkeypatch.setattr(gancourse.data, "shipped", lambda name: tmp_path / name)
    with pytest.raises(DataError, match=r"digits\.npz .*SHA-256.*[Ii]nstall"):
        check("digits")


def test_the_record_of_what_ships_names_its_sources_as_the_readme_does():
    record = json.loads(shipped("digits.json").read_text(encoding="utf-8"))["files"]
    readme = shipped("README.md").read_text(encoding="utf-8")
    for name, known in record.items():
        assert known["bytes"] == shipped(name).stat().st_size
        assert known["package"] in " ".join(readme.split())
        for sha256 in (known["sha256"], *known["source_sha256"].values()):
            assert f"`{sha256}`" in readme


def test_what_is_neither_a_set_nor_a_folder_is_told(tmp_path, monkeypatch):
    (tmp_path / "pictures").mkdir()
    with pytest.raises(DataError, match=r"picture\..*Did you mean .*pictures"):
        check(tmp_path / "picture")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CourseError, match=r"folder 'digit'.*Did you mean 'digits'"):
        check("digit")


def test_batches_of_both_splits_differ():
    from gancourse.training import runtime

    run = runtime.start(device="cpu")
    train, test = (load("digits", split=split).batch(0, 32, run) for split in ("train", "test"))
    assert not torch.equal(train["real"], test["real"])
