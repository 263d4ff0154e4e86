"""Batches that a thread makes while the device computes."""

import threading
from dataclasses import replace

import pytest
import torch

from gancourse.data import load
from gancourse.data.mixtures import ring
from gancourse.errors import DataError
from gancourse.gans import vanilla
from gancourse.training import ahead, start, train


class Elsewhere:
    """Data that lie on another device than the run's, and note who asked for which batch."""

    device = torch.device("meta")

    def __init__(self, data, fails_at=None):
        self.data, self.fails_at, self.asked = data, fails_at, []

    def __getattr__(self, name):
        return getattr(self.data, name)

    def batch(self, step, size, run):
        self.asked.append((step, threading.current_thread() is threading.main_thread()))
        if step == self.fails_at:
            raise DataError("the disk has gone")
        return self.data.batch(step, size, run)


def small():
    cfg = replace(vanilla.configure("smoke", ring().fields), steps=12, batch_size=16)
    return vanilla.build(cfg, start("cpu", 0)), start("cpu", 0)


def test_the_run_is_that_with_batches_made_in_turn():
    ends = []
    for data in (ring(), Elsewhere(ring())):
        gan, run = small()
        train(gan, vanilla.train_step, data, run, quiet=True)
        ends.append(gan.netG.state_dict())
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    asked = data.asked[1:]  # the first batch is looked at before the run
    assert sorted(step for step, _ in asked) == list(range(12)), "each once, and none too many"
    assert not any(main for _, main in asked)


def test_an_error_of_the_thread_reaches_the_run_and_the_thread_ends():
    gan, run = small()
    before = threading.active_count()
    with pytest.raises(DataError, match="the disk has gone"):
        train(gan, vanilla.train_step, Elsewhere(ring(), fails_at=5), run, quiet=True)
    assert gan.step == 5
    assert threading.active_count() == before


def test_a_step_back_begins_anew():
    run, data = start("cpu", 0), load("digits", limit=64).take("real")
    made = ahead.Ahead(data, 8, run, steps=8)
    try:
        for step in (0, 1, 5, 2):
            assert torch.equal(made.batch(step)["real"], data.batch(step, 8, run)["real"])
    finally:
        made.close()
