"""An exponential moving average of a network's weights."""

import copy

import torch
from torch import nn


class EMA(nn.Module):
    """A copy of ``net`` whose weights are an average of its weights over the last steps.

    After each step of ``net``'s optimizer, every weight becomes
    ``decay * average + (1 - decay) * trained``. The weights of two players tend to rotate around an
    equilibrium. Their average is nearer to it, and gives better samples (Yazici et al. 2019,
    arXiv:1806.04498).

    Parameters
    ----------
    net : torch.nn.Module
        The trained network; it is copied, on its device.
    decay : float
        At least 0, no average, and below 1. The average reaches back about 1 / (1 - decay) steps.
    optimizer : torch.optim.Optimizer
        The one that updates ``net``.
    """

    def __init__(self, net, decay, optimizer):
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"ema_decay must be at least 0 and below 1, not {decay}")
        self.decay = decay
        self.net = copy.deepcopy(net).requires_grad_(False)
        self.eval()
        # nn.Module does not register what is in a tuple, so that the trained network stays out of
        # this state dict. The lists are made once, not in every update, to save time.
        self._followed = (net,)
        self._weight_lists = (list(self.net.parameters()), list(net.parameters()))
        self._buffer_pairs = tuple(zip(self.net.buffers(), net.buffers(), strict=True))
        optimizer.register_step_post_hook(lambda *_: self.update())

    def follows(self, net):
        """Return whether this is the average of ``net``."""
        return self._followed[0] is net

    @torch.no_grad()
    def update(self):
        """Move the average towards the trained weights by one step; copy the buffers."""
        torch._foreach_lerp_(*self._weight_lists, 1 - self.decay)
        for mine, theirs in self._buffer_pairs:
            mine.copy_(theirs)

    def forward(self, *inputs):
        """Run the averaged network."""
        return self.net(*inputs)
