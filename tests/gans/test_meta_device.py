"""A training step of each GAN on the meta device: proof, without a GPU, that CUDA need not wait.

A tensor on the meta device has a shape and no numbers, so that reading a number is an error there:
`.item()`, `float(tensor)`, `if tensor:`, a boolean mask, `.cpu()`. On CUDA each makes the program
wait for the device.
"""

import importlib

import pytest
import torch
from test_contract import NAMES, fake_batch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gancourse.gans import vanilla
from gancourse.training.runtime import Run

META = torch.device("meta")


class OnMetaAlone(TorchDispatchMode):
    """Makes a tensor on another device an error, also where PyTorch itself would accept it."""

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        result = operator(*args, **(kwargs or {}))
        for value in tree_leaves((args, kwargs, result)):
            if isinstance(value, torch.Tensor) and value.device != META:
                raise AssertionError(f"{operator} has a tensor on {value.device}")
        return result


def batch_on_meta(module, cfg):
    return {name: value.to(META) for name, value in fake_batch(module, cfg).items()}


def take_steps(module, train_step):
    """Train the smoke preset until G has moved, pools of pictures are full, and a step longer."""
    cfg, run = module.PRESETS["smoke"], Run(device=META)
    gan, batch = module.build(cfg, run), batch_on_meta(module, cfg)
    for part in gan.parts().values():
        if isinstance(part, torch.optim.Optimizer):
            part.step = lambda: None  # PyTorch's own code, whose fused kernel refuses meta
    size = len(next(iter(batch.values())))
    steps = 1 + max(getattr(cfg, "n_critic", 1), getattr(cfg, "pool_size", 0) // size)
    with OnMetaAlone():
        for gan.step in range(steps):
            losses = train_step(gan, batch, run)
    return losses


@pytest.mark.parametrize("name", NAMES)
def test_a_step_reads_no_number_and_leaves_no_tensor_on_the_cpu(name):
    module = importlib.import_module(f"gancourse.gans.{name}")
    losses = take_steps(module, module.train_step)
    assert losses and all(loss.device == META for loss in losses.values())


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (lambda loss: loss.item(), "item"),
        (lambda loss: float(loss), "item"),
        (lambda loss: loss if loss > 0 else -loss, "item|bool"),
        (lambda loss: loss.cpu(), "Cannot copy out of meta"),
        (lambda loss: loss.expand(3)[loss.expand(3) > 0], "nonzero"),
        (lambda loss: loss + torch.zeros(()), "on cpu"),
        (lambda loss: loss.expand(2)[torch.arange(2)], "on cpu"),
        (lambda loss: loss.new_zeros(2, device="cpu"), "on cpu"),
    ],
    ids=["item", "float", "if", "cpu", "mask", "number", "index", "zeros"],
)
def test_a_step_that_makes_a_gpu_wait_is_noticed(fault, error):
    def faulty(gan, batch, run):
        losses = vanilla.train_step(gan, batch, run)
        fault(losses["D/adv"])
        return losses

    with pytest.raises((RuntimeError, AssertionError, NotImplementedError), match=error):
        take_steps(vanilla, faulty)
