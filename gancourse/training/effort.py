"""How much a training step computes, counted without computing it."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from gancourse.files.weights import META
from gancourse.training.runtime import Run, undisturbed

# Operations a step, below which one CPU thread is used. The threads of a small step wait for each
# other most of the time, and on cores that have other work they wait much longer. A step with so
# few operations takes some hundredths of a second on one core.
FEW = 2e9


class _Count(TorchDispatchMode):
    """Sums the operations of matrix products and convolutions.

    PyTorch's FlopCounterMode does not suffice (tried with 2.14): it tracks modules, and fails where
    a gradient of a gradient is taken.
    """

    total = 0

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = operator(*args, **kwargs)
        formula = flop_registry.get(operator._overloadpacket)
        self.total += formula(*args, **kwargs, out_val=result) if formula else 0
        return result


def operations(build, step, fields, size):
    """Return how many operations the first training step has, whatever the machine.

    Parameters
    ----------
    build : callable
        ``build(run)`` returns the GAN.
    step : callable
        The step function.
    fields : dict of str to Field
        Of a batch.
    size : int
        Of a batch.
    """
    run = Run(device=META)
    with undisturbed():  # the weights of the real GAN are drawn later
        gan = build(run)
    for part in gan.parts().values():
        if isinstance(part, torch.optim.Optimizer):  # fused kernels refuse this device
            part.register_step_pre_hook(lambda optimizer, *_: optimizer.zero_grad())
    batch = {
        name: torch.empty(size, *field.shape, dtype=field.dtype, device=META)
        for name, field in fields.items()
    }
    with _Count() as count:
        step(gan, batch, run)
    return count.total
