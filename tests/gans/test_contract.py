"""Every GAN file of the folder keeps every promise; a new file is found by itself."""

import pytest
import torch
from contract import PROMISES, batch_for

from gancourse import gans, trained
from gancourse.training import runtime


def test_there_are_gans():
    assert "vanilla" in gans.names() and "blocks" not in gans.names()


@pytest.mark.parametrize("name", gans.names())
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_the_promise(promise, name):
    promise(gans.find(name))


@pytest.mark.gpu
@pytest.mark.parametrize("name", gans.names())
def test_a_step_runs_on_cuda_without_waiting(name):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    module, run = gans.find(name), runtime.start("cuda", 0)
    cfg = module.PRESETS["smoke"]
    gan = module.build(cfg, run, **trained.frozen_for(module))
    batch = {key: value.cuda() for key, value in batch_for(module, cfg).items()}
    step, _ = gans.step_function(module, cfg)
    step(gan, batch, run)
    torch.cuda.set_sync_debug_mode("error")
    try:
        step(gan, batch, run)
    finally:
        torch.cuda.set_sync_debug_mode("default")
