"""An exponential moving average of a network's weights."""

import copy

import torch
from torch import nn


class EMA(nn.Module):
    """A copy of ``net`` whose weights trail the trained ones.

    After each step, every weight becomes ``decay * average + (1 - decay) * trained``. The
    average sits in the middle of the circles that two players run around each other, which
    is why its samples look better (Yazici et al. 2019, arXiv:1806.04498).

    Parameters
    ----------
    net : torch.nn.Module
        The network to follow; copied here, on its device.
    decay : float
        Between 0 (no memory) and 1 (never moves). The memory is about 1 / (1 - decay) steps.
    """

    def __init__(self, net, decay):
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"ema_decay must be at least 0 and below 1, not {decay}")
        self.decay = decay
        self.net = copy.deepcopy(net).requires_grad_(False)
        self.eval()
        # Listed once, since a step is short; in tuples, so that they are no parts of this module.
        self._weight_lists = (list(self.net.parameters()), list(net.parameters()))
        self._buffer_pairs = tuple(zip(self.net.buffers(), net.buffers(), strict=True))

    @torch.no_grad()
    def update(self):
        """Move the average one step towards the trained network; buffers are copied as they are."""
        torch._foreach_lerp_(*self._weight_lists, 1 - self.decay)
        for mine, theirs in self._buffer_pairs:
            mine.copy_(theirs)

    def forward(self, *inputs):
        """Run the averaged network."""
        return self.net(*inputs)
