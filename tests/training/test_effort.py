"""How much a step computes, and how many threads that takes."""

from dataclasses import replace

import pytest
import torch

from gancourse import runs
from gancourse.gans import vanilla
from gancourse.training import effort, runtime


def test_the_operations_of_a_step_are_those_of_its_matrix_products():
    cfg = replace(
        vanilla.PLANE["smoke"], latent_dim=4, g_hidden=(8,), d_hidden=(16,), batch_size=10
    )
    found = effort.operations(
        lambda run: vanilla.build(cfg, run),
        vanilla.train_step,
        vanilla.inputs(cfg),
        cfg.batch_size,
    )
    g, d = 4 * 8 + 8 * 2, 2 * 16 + 16 * 1  # weights of G and of D, each one product a sample
    forward = g + 3 * d  # D judges real, fake, and fake again for G
    d_update = 2 * d + 2 * 16  # gradients of D's weights, and of what its last layer gets
    g_update = d + g + 8 * 2  # of D's inputs, of G's weights, and of what G's last layer gets
    assert found == 2 * cfg.batch_size * (forward + d_update + g_update)


@pytest.mark.parametrize(
    ("name", "data", "preset", "few"),
    [
        ("vanilla", "ring", "smoke", True),
        ("vanilla", "ring", "laptop", True),
        ("stargan", "toons:16", "smoke", True),
        ("dcgan", "toons:16", "laptop", False),
    ],
)
def test_small_steps_take_one_thread_and_others_as_many_as_pytorch(
    monkeypatch, name, data, preset, few
):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    runtime.start("cpu", 0)
    state = torch.get_rng_state()
    plan = runs.prepare(name, data, preset)
    assert plan.threads == plan.threads == (1 if few else 7)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    ("name", "data", "preset", "kind", "precision", "turned"),
    [
        ("vanilla", "ring", "laptop", "cpu", "fp32", False),  # small
        ("vanilla", "digits", "laptop", "cpu", "fp32", False),  # 1.0 billion, without convolutions
        ("wgan", "digits", "smoke", "cpu", "bf16", True),  # 0.04 billion, with convolutions
        ("wgan", "digits", "laptop", "cpu", "bf16", True),
        ("wgan_gp", "digits", "laptop", "cpu", "bf16", True),
        ("wgan_gp", "ring", "laptop", "cpu", "fp32", False),  # without convolutions
        ("began", "digits", "laptop", "cpu", "bf16", True),
        ("began", "digits", "laptop", "cuda", "fp32", False),  # bound by its launch
        ("dcgan", "toons:16", "laptop", "cpu", "bf16", True),
        ("dcgan", "toons:16", "laptop", "cuda", "bf16", True),
        ("pix2pix", "sketch2face:16", "laptop", "cpu", "bf16", False),  # has instance norm
    ],
)
def test_steps_are_made_in_bf16_and_channels_last_where_it_pays(
    monkeypatch, name, data, preset, kind, precision, turned
):
    monkeypatch.setattr(runtime, "fast_precision", lambda device: "bf16")
    plan, device = runs.prepare(name, data, preset), torch.device(kind)
    assert plan.settings(device) == {"precision": precision, "channels_last": turned}
    assert plan.settings(device, fast="fp32") == {"precision": "fp32", "channels_last": turned}


def test_a_run_says_how_it_computes():
    run = runtime.start("cpu", 0, precision="bf16", channels_last=True)
    assert str(run).startswith("cpu, bf16, channels last, ") and "thread" in str(run)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2", 10**6])
def test_a_number_of_threads_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(runtime.CourseError, match="threads must be a whole number"):
        runtime.use_threads(wrong)


def test_the_number_of_threads_is_set():
    before = torch.get_num_threads()
    try:
        runtime.use_threads(2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
