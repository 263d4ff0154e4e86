"""States come back exact, and a file is never code."""

import json
import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from gancourse.errors import CheckpointError, CourseError
from gancourse.files import statefile
from gancourse.files.statefile import load, save


def test_a_nested_state_comes_back_bit_for_bit(tmp_path):
    state = {
        "nets": {"G": {"w": torch.randn(3, 2), "steps": torch.tensor(7)}},
        "groups": [{"lr": 1e-3, "betas": [0.0, 0.99], "params": [0, 1], "on": True}],
        "state": {0: {"exp": torch.randn(4, dtype=torch.float64)}, 1: None},
        "random": torch.randint(0, 256, (16,), dtype=torch.uint8),
        "word": "linear",
    }
    save(tmp_path / "c", state, settings={"lr": 1e-3})
    back, header = load(tmp_path / "c")
    assert header == {"settings": {"lr": 1e-3}}
    assert back["groups"] == state["groups"] and back["word"] == "linear"
    assert list(back["state"]) == [0, 1] and back["state"][1] is None
    for ours, theirs in (
        (back["nets"]["G"]["w"], state["nets"]["G"]["w"]),
        (back["nets"]["G"]["steps"], state["nets"]["G"]["steps"]),
        (back["state"][0]["exp"], state["state"][0]["exp"]),
        (back["random"], state["random"]),
    ):
        assert ours.dtype == theirs.dtype and torch.equal(ours, theirs)


def test_tensors_that_share_memory_or_are_not_contiguous_are_kept(tmp_path):
    base = torch.arange(12.0).view(3, 4)
    save(tmp_path / "c", {"a": base, "b": base.t(), "c": base[:, 1]})
    back, _ = load(tmp_path / "c")
    assert torch.equal(back["b"], base.t()) and torch.equal(back["c"], base[:, 1])


def test_what_cannot_be_kept_is_refused_when_saving(tmp_path):
    with pytest.raises(TypeError, match="set"):
        save(tmp_path / "c", {"a": {1, 2}})
    assert not list(tmp_path.iterdir())


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def test_a_pickle_in_place_of_a_checkpoint_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError, match="c is damaged"):
        load(tmp_path / "c")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("keep", [0, 5, 100, 0.5, 0.99])
def test_a_file_that_was_cut_short_is_named_as_damaged(tmp_path, keep):
    save(tmp_path / "c", {"w": torch.randn(200)})
    data = (tmp_path / "c").read_bytes()
    (tmp_path / "c").write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])
    with pytest.raises(CheckpointError, match="c is damaged"):
        load(tmp_path / "c")


def test_other_safetensors_files_and_absent_ones_are_named(tmp_path):
    save_file({"w": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=r"other\.safetensors .*None.*gancourse-1"):
        load(tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="absent"):
        load(tmp_path / "absent")


def test_the_header_is_readable_without_torch(tmp_path):
    save(tmp_path / "c", {"w": torch.zeros(1)}, card={"model": "vanilla"})
    raw = (tmp_path / "c").read_bytes()
    size = int.from_bytes(raw[:8], "little")
    meta = json.loads(raw[8 : 8 + size])["__metadata__"]
    assert json.loads(meta["card"]) == {"model": "vanilla"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_not_read(tmp_path, make):
    make(tmp_path / "c")
    with pytest.raises(CheckpointError, match="c is a folder or a device"):
        load(tmp_path / "c")


def test_a_circle_of_links_and_a_file_as_a_folder_are_told(tmp_path):
    (tmp_path / "c").symlink_to(tmp_path / "c")
    with pytest.raises(CheckpointError, match="circle"):
        load(tmp_path / "c")
    (tmp_path / "file").write_text("x")
    with pytest.raises(CheckpointError, match="is a file, not a folder"):
        load(tmp_path / "file" / "c")


def test_equal_states_give_equal_bytes(tmp_path):
    header = {name: name for name in "abcdefghijkl"}
    for name in "pqrst":
        save(tmp_path / name, {"w": torch.zeros(3, dtype=torch.uint8), "é": 1}, **header)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    assert load(tmp_path / "p")[1] == header


WEIGHT = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
DEEP = "[" * 90_000 + "]" * 90_000


def crafted(tree, weight=WEIGHT, **meta):
    """Return the header of a file of one weight, whose state is ``tree``."""
    tree = tree if isinstance(tree, str) else json.dumps(tree)
    header = {"__metadata__": {"format": statefile.FORMAT, "tree": tree} | meta}
    return header | ({} if weight is None else {"0": weight})


def put(path, header, data=bytes(8)):
    """Write a safetensors file of any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def test_a_crafted_header_may_be_right(tmp_path):
    put(tmp_path / "c", crafted({"dict": [["w", {"tensor": "0"}]]}, card="3"))
    state, header = load(tmp_path / "c")
    assert state["w"].tolist() == [0, 0] and header == {"card": 3}


@pytest.mark.parametrize(
    "tree",
    [
        *({}, {"a": 1}, {"dict": 3}, {"dict": [1]}, {"dict": [[1]]}, {"dict": [[[], 2]]}),
        *({"dict": [["a", 1], ["a", 2]]}, {"dict": [[None, 2]]}, {"dict": [], "tensor": "0"}),
        *({"tuple": 3}, {"tuple": [], "dict": []}),
        *({"tensor": "1"}, {"tensor": 0}, {"tensor": ["0"]}, [], [{"tensor": "0"}] * 2),
        *("", "{", DEEP, "[" * 900 + "]" * 900, "1" * 5000),
    ],
)
def test_a_state_of_another_shape_is_damaged(tmp_path, tree):
    put(tmp_path / "c", crafted(tree))
    with pytest.raises(CheckpointError, match="c is damaged"):
        load(tmp_path / "c")


@pytest.mark.parametrize(
    "change",
    [
        *({"data_offsets": offsets} for offsets in ("ab", [0], [0, -1], [0, 2**70], [0, 8.0], 8)),
        *({"shape": shape} for shape in ([2.0], [-2], [2**40, 2**40], [3], 2, None)),
        *({"dtype": dtype} for dtype in ("F4", "F8_E8M0", "f32", "", None, 3)),
        {"shape": [0] + [2**31] * 40, "data_offsets": [0, 0]},
    ],
)
def test_an_odd_weight_is_damaged(tmp_path, change):
    put(tmp_path / "c", crafted({"tensor": "0"}, WEIGHT | change))
    with pytest.raises(CheckpointError, match="c is damaged"):
        load(tmp_path / "c")


@pytest.mark.parametrize(
    "header",
    [
        *(b"", b"[]", b"3", b'{"a":' * 90_000, b'{"a\xff": {}}', {"0": 3}, {"__metadata__": []}),
        {"__metadata__": {"format": statefile.FORMAT}},
        {"__metadata__": {"format": statefile.FORMAT, "tree": 3}},
        crafted("1", None, card=DEEP),
        crafted("1", None, card="x"),
        crafted({"dict": [["w", {"tensor": "0"}]]}) | {"1": WEIGHT},
    ],
)
def test_an_odd_header_is_damaged(tmp_path, header):
    put(tmp_path / "c", header)
    with pytest.raises(CheckpointError, match="c is damaged"):
        load(tmp_path / "c")


def test_a_header_is_not_read_if_it_is_huge(tmp_path):
    with open(tmp_path / "c", "wb") as file:
        file.write((10**9).to_bytes(8, "little"))
        file.truncate(10**9 + 8)  # takes no space
    with pytest.raises(CheckpointError, match="1,000,000,000 bytes"):
        load(tmp_path / "c")


def test_what_follows_the_weights_is_not_read(tmp_path):
    put(tmp_path / "c", crafted({"tensor": "0"}))
    with open(tmp_path / "c", "r+b") as file:
        file.truncate(10**12)
    with pytest.raises(CheckpointError, match="its header says 8"):
        load(tmp_path / "c")


def test_the_format_of_another_program_is_safe_to_print(tmp_path):
    put(tmp_path / "c", {"__metadata__": {"format": "\x1b[31m\u202e" * 1000}}, b"")
    with pytest.raises(CheckpointError) as caught:
        load(tmp_path / "c")
    assert str(caught.value).isprintable() and len(str(caught.value)) < 500


def test_what_could_not_be_read_again_is_not_written(tmp_path):
    path = tmp_path / "a.safetensors"
    statefile.save(path, {"step": 1})
    with pytest.raises(CourseError, match="Record less"):
        statefile.save(path, {"text": "x" * (statefile.LARGEST_HEADER + 1)})
    assert statefile.load(path)[0] == {"step": 1}


def test_a_state_of_many_records_is_read_again(tmp_path):
    state = {"records": [(step, {"covered": 8, "quality": 0.5}) for step in range(20_000)]}
    statefile.save(tmp_path / "a.safetensors", state)
    assert statefile.load(tmp_path / "a.safetensors")[0] == state
