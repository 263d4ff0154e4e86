"""Several processes: each reads its own rows of a batch, and together they read all of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gancourse.data.joint import JointImages
from gancourse.data.mixtures import ring
from gancourse.data.packed import packed
from gancourse.data.pairs import PairedImages, UnpairedImages
from gancourse.data.source import Column, ImageData
from gancourse.training import runtime
from gancourse.training.ahead import Ahead

COUNT, SIZE, STEPS = 40, 12, 3  # an epoch, in which no row comes twice


class Noted:
    """The stored rows of a column; notes which of them are read."""

    def __init__(self, values):
        self.values, self.read = values, []

    def __getitem__(self, index):
        self.read += torch.arange(len(self.values))[index].tolist()
        return self.values[index]


def pictures(seed, folder=None):
    """Return pictures of noise with labels; with a folder, they are mapped from a file there."""
    made = np.random.default_rng(seed).integers(0, 256, (COUNT, 1, 8, 8), np.uint8)
    if folder is None:
        return ImageData(torch.from_numpy(made), torch.arange(COUNT) % 3, f"noise {seed}", "abc")
    stored = packed(folder / f"{seed}.npy", made.shape, lambda: iter(made))
    return ImageData(Column.read(lambda count, size: stored[:count], COUNT, 8, 1), None, "mapped")


VARIED = {"jitter": 30, "mirror": True}
DATA = {
    "pictures": lambda folder: pictures(0),
    "mapped": lambda folder: pictures(0, folder=folder),
    "pairs": lambda folder: PairedImages(pictures(0), pictures(1), "pairs", **VARIED),
    "unpaired": lambda folder: UnpairedImages(pictures(0), pictures(1), "sides", **VARIED),
    # A batch has 3, 3, 2, 2 and 2 rows of the sets: some begin in the middle of a round.
    "joint": lambda folder: JointImages([(pictures(n), "classes") for n in range(5)]),
}


def batches_of(data, run):
    """Return the batches of an epoch, made by the thread, and the rows read of each column."""
    sides = getattr(data, "members", None) or ([data] if hasattr(data, "columns") else None)
    columns = [side.columns["real"] for side in sides or (data.a, data.b)]
    for column in columns:
        column.values = Noted(column.values)
    made = Ahead(data, SIZE, run, STEPS)
    try:
        return [made.batch(step) for step in range(STEPS)], [c.values.read for c in columns]
    finally:
        made.close()


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize("kind", DATA)
def test_each_row_is_read_once_and_by_one_process(kind, processes, tmp_path):
    alone = runtime.start("cpu", 3)
    whole, rows = batches_of(DATA[kind](tmp_path), alone)
    read = []
    for process in range(processes):
        run = replace(alone, process=process, processes=processes)
        batches, mine = batches_of(DATA[kind](tmp_path), run)
        read.append(mine)
        for batch, own in zip(whole, batches, strict=True):
            assert own.keys() == batch.keys()
            for name in own:
                assert torch.equal(own[name], batch[name][process::processes]), name
    for column, expected in enumerate(rows):
        together = [row for mine in read for row in mine[column]]
        assert len(set(together)) == len(together), "a row is read twice"
        assert sorted(together) == sorted(expected)


def test_points_are_those_of_the_whole_batch():
    alone = runtime.start("cpu", 3)
    whole = ring().batch(4, 6, alone)["real"]
    for process in (0, 1):
        run = replace(alone, process=process, processes=2)
        assert torch.equal(ring().batch(4, 6, run)["real"], whole[process::2])


@pytest.mark.parametrize("data", [ring(), DATA["joint"](None)], ids=["points", "joint"])
def test_a_preview_is_the_same_in_each_process(data):
    alone = runtime.start("cpu", 3)
    whole, _ = data.preview(7, alone)
    again, _ = data.preview(7, replace(alone, process=1, processes=2))
    assert all(torch.equal(again[name], whole[name]) for name in whole)
