"""Devices, seeds and precision."""

import random

import numpy as np
import pytest
import torch

from gancourse.errors import CourseError
from gancourse.training import runtime


def draw():
    return random.random(), np.random.rand(), torch.rand(3).tolist()  # noqa: NPY002


def test_one_seed_fixes_every_random_source():
    runtime.start("cpu", 5)
    first = draw()
    runtime.start("cpu", 5)
    assert draw() == first
    runtime.start("cpu", 6)
    assert all(a != b for a, b in zip(draw(), first, strict=True))


def test_the_random_state_can_be_put_back():
    runtime.start("cpu", 0)
    state = runtime.random_state()
    first = draw()
    runtime.set_random_state(state)
    assert draw() == first


def test_what_happens_undisturbed_leaves_the_random_numbers_alone():
    runtime.start("cpu", 0)
    expected = draw()
    runtime.start("cpu", 0)
    with runtime.undisturbed():
        draw()
        torch.manual_seed(99)
    assert draw() == expected


def test_a_generator_depends_on_its_key_and_the_seed_alone():
    run = runtime.start("cpu", 3)
    first = torch.rand(4, generator=run.generator(1, 2))
    torch.rand(10)
    assert torch.equal(torch.rand(4, generator=run.generator(1, 2)), first)
    assert not torch.equal(torch.rand(4, generator=run.generator(2, 1)), first)
    other = runtime.start("cpu", 4)
    assert not torch.equal(torch.rand(4, generator=other.generator(1, 2)), first)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"device": "gpu"}, "unknown device 'gpu'.*cuda"),
        ({"device": "cpu:1"}, "sees 1 cpu device"),
        ({"device": "cuda:x"}, "a number"),
        ({"device": "cuda:99"}, "sees . cuda device"),
        ({"precision": "fp16"}, "unknown precision 'fp16'"),
        ({"seed": -1}, "whole number"),
        ({"seed": 1.5}, "whole number"),
        ({"seed": True}, "whole number"),
    ],
)
def test_wrong_settings_are_refused_with_what_is_right(wrong, words):
    with pytest.raises(CourseError, match=words):
        runtime.start(**({"device": "cpu"} | wrong))


def test_bf16_computes_in_bf16_and_keeps_the_weights():
    run = runtime.start("cpu", precision="bf16")
    net = run.place(torch.nn.Linear(2, 2))
    with run.autocast():
        assert net(torch.zeros(1, 2)).dtype == torch.bfloat16
    assert net.weight.dtype == torch.float32


def test_channels_last_reaches_the_weights():
    net = runtime.start("cpu", channels_last=True).place(torch.nn.Conv2d(8, 8, 3))
    assert net.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.gpu
def test_auto_takes_cuda_when_it_is_there():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    run = runtime.start()
    assert run.device.type == "cuda" and run.generator(1).device.type == "cuda"


@pytest.mark.parametrize(("has", "precision"), [(True, "bf16"), (False, "fp32")])
def test_auto_precision_is_bf16_only_where_the_processor_has_it(monkeypatch, has, precision):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: has, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False, raising=False)
    assert runtime.start("cpu", 0, precision="auto").precision == precision
