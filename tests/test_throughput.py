"""The benchmark makes up a batch that each GAN can train on."""

import itertools

import pytest

from benchmarks import throughput
from gancourse import gans
from gancourse.training import runtime


@pytest.mark.parametrize("name", gans.names())
def test_every_gan_takes_a_step_on_made_up_data(name):
    module = gans.find(name)
    step = throughput.stepper(module, module.PRESETS["smoke"], runtime.start("cpu", 0))
    losses = step()
    assert losses and all(value.isfinite() for value in losses.values())


def test_each_variant_is_a_ratio_to_fp32(monkeypatch):
    seconds = itertools.cycle([4.0, 2.0])  # they take turns
    monkeypatch.setattr(throughput, "timed", lambda step, device: next(seconds))
    variants = {"fp32": {}, "bf16": {"precision": "bf16"}}
    monkeypatch.setattr(throughput, "VARIANTS", variants)
    rows = throughput.measure("vanilla", "smoke", runtime.find_device("cpu"), rounds=2)
    assert [(row["variant"], row["ratio"]) for row in rows] == [("fp32", 1.0), ("bf16", 2.0)]
