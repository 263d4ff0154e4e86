"""Files are whole or absent, exact, and never code."""

import errno
import json
import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from gancourse.errors import CheckpointError, CourseError
from gancourse.files import load, save, write_atomically


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
