"""A training step of each GAN on the meta device: proof, without a GPU, that CUDA need not wait.

A tensor on the meta device has a shape and no numbers, so that reading a number is an error there:
`.item()`, `float(tensor)`, `if tensor:`, a boolean mask, `.cpu()`. On CUDA each makes the program
wait for the device.
"""

import made_up
import pytest
import torch
from contract import batch_for
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gancourse import gans, trained
from gancourse.gans import vanilla
from gancourse.training.runtime import Run

META = torch.device("meta")
STEPS = 6  # of each stage, at least: each player has a turn
MODULES = [*map(gans.find, gans.names()), made_up]


class OnMetaAlone(TorchDispatchMode):
    """Makes a tensor on another device an error, also where PyTorch itself would accept it."""

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        result = operator(*args, **(kwargs or {}))
        for value in tree_leaves((args, kwargs, result)):
            if isinstance(value, torch.Tensor) and value.device != META:
                raise AssertionError(f"{operator} has a tensor on {value.device}")
        return result


def take_steps(module, **replaced):
    """Train the smoke preset for a while in each stage; return the losses of the last steps."""
    cfg, run = module.PRESETS["smoke"], Run(device=META)
    gan = module.build(cfg, run, **trained.frozen_for(module, META))
    batch = {name: value.to(META) for name, value in batch_for(module, cfg).items()}
    players, turns = set(), set()
    for name, part in gan.parts().items():
        if isinstance(part, torch.optim.Optimizer):
            players.add(name)
            part.register_step_post_hook(lambda *_, name=name: turns.add(name))
            # Fused kernels refuse this device. Without gradients they are not called, hooks are.
            part.register_step_pre_hook(lambda optimizer, *_: optimizer.zero_grad())
    rows = len(next(iter(batch.values())))
    full = getattr(cfg, "pool_size", 0) // rows + 2  # steps: a pool of pictures returns old ones
    losses = {}
    with OnMetaAlone():
        for name in module.STAGES:
            step = replaced.get(name, getattr(module, name))
            for gan.step in range(gan.step, gan.step + max(STEPS, full)):  # noqa: B020
                losses |= step(gan, batch, run)
    assert turns == players
    return losses


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_step_reads_no_number_and_leaves_no_tensor_on_the_cpu(module):
    losses = take_steps(module)
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
        take_steps(vanilla, train_step=faulty)
