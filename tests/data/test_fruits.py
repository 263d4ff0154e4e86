import doctest
import hashlib
import json
import zipfile

import pytest
import torch

from gancourse import data
from gancourse.data import fruits as module
from gancourse.data.fruits import KINDS, edges
from gancourse.errors import DataError
from gancourse.metrics import load_judge


def test_examples():
    assert doctest.testmod(module).failed == 0


def test_every_kind_has_as_many_photographs_on_white_in_each_split():
    for split, count in (("train", 800), ("test", 200)):
        fruits = data.load("fruits", split=split)
        assert fruits.classes == KINDS and fruits.labels.bincount().tolist() == [count] * 3
        corners = fruits.pixels[:, :, ::63, ::63].float()
        assert corners.mean() > 250, "the background is white"


def test_the_first_photographs_are_a_fair_sample():
    fruits = data.load("fruits").first(30)
    assert fruits.labels.bincount().tolist() == [10, 10, 10]
    colours = fruits.images().mean((2, 3))
    assert (colours.std(0) > 0.05).all(), "of several varieties"


def test_no_fruit_is_in_both_splits():
    with zipfile.ZipFile(data.shipped(module.ARCHIVE)) as archive:
        seen = [
            {name.partition("_")[2] for name in archive.namelist() if name.startswith(folder)}
            for folder in ("training/", "test/")
        ]
    assert all(seen) and not seen[0] & seen[1]


def test_apples_and_tomatoes_are_two_sides_without_pairs():
    both = data.load("apples2tomatoes")
    assert (len(both.a), len(both.b), both.hidden) == (800, 800, None)
    fruits = data.load("fruits")
    assert torch.equal(both.a.pixels, fruits.pixels[fruits.labels == 0])
    assert torch.equal(both.b.pixels, fruits.pixels[fruits.labels == 2])


def test_edges_lie_where_a_disk_ends():
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    radius = ((y - 32) ** 2 + (x - 32) ** 2).sqrt()
    disk = torch.where(radius < 20, 30, 255).byte().expand(1, 3, -1, -1)
    line = edges(disk)[0, 0] < 128
    assert line.any() and (radius[line] - 20).abs().max() < 1.6
    assert 100 < line.sum() < 260, "one or two pixels wide: the circle is 126 pixels long"


def test_what_is_flat_has_no_edges_and_a_faint_edge_is_a_faint_line():
    flat = torch.full((1, 3, 16, 16), 90, dtype=torch.uint8)
    assert edges(flat).min() == 255
    darkest = []
    for step in (20, 60, 160):
        two = flat.clone()
        two[..., 8:] += step
        darkest.append(edges(two).min().item())
    assert darkest[0] == 255 and 0 < darkest[1] < 255 and darkest[2] == 0


def test_edges_belong_to_their_photograph():
    pairs = data.load("edges2fruits", split="test")
    assert torch.equal(edges(pairs.b.pixels[5:6]), pairs.a.pixels[5:6])


def test_the_archive_is_the_one_on_record_and_a_damaged_one_is_named(monkeypatch, tmp_path):
    record = json.loads(data.shipped("fruits.json").read_text(encoding="utf-8"))
    content = data.shipped(module.ARCHIVE).read_bytes()
    assert hashlib.sha256(content).hexdigest() == record["files"]["fruits64.zip"]["sha256"]
    damaged = tmp_path / "fruits64.zip"
    damaged.write_bytes(content[:100_000])
    monkeypatch.setattr(module, "shipped", lambda name: damaged)
    module._read.cache_clear()
    with pytest.raises(DataError, match="has changed since it came"):
        data.load("fruits")


def test_the_judge_reads_the_photographs():
    fruits = data.load("fruits", split="test")
    right = load_judge("fruits").predict(fruits.images()) == fruits.labels
    assert right.float().mean() > 0.82
