"""What the checkers of a step's two losses share: compare the losses and where they push."""

import torch
from torch import nn

from gancourse.exercises.comparing import expect


class Painter(nn.Module):
    """A generator of five numbers for three classes."""

    def __init__(self):
        super().__init__()
        self.from_z, self.from_y = nn.Linear(3, 5), nn.Embedding(3, 5)

    def forward(self, z, labels):
        """Turn z, (N, 3), and labels, (N,), into samples, (N, 5)."""
        return torch.tanh(self.from_z(z) + self.from_y(labels))


def compare(answer, right, netG, netD, *inputs):
    """Yield what must hold of a function that returns the losses of D and of G; test it.

    Parameters
    ----------
    answer, right : callable
        The reader's function and a right one, ``f(netG, netD, *inputs)``.
    netG, netD : torch.nn.Module
        Without batch norm or dropout, so that it does not matter how often and with how many
        samples they are called.
    *inputs
        Further arguments; tensors are handed over as copies.
    """
    yield "it returns two losses: that of D, then that of G"
    mine = _two(answer, netG, netD, inputs)
    true = _two(right, netG, netD, inputs)
    for player, other, a, b in zip("DG", "GD", mine, true, strict=True):
        net = {"G": netG, "D": netD}
        yield f"the loss of {player} is right"
        expect(a.detach(), b.detach())

        yield f"so is its gradient for the weights of {player}"
        gap, size = _gap(_slopes(a, net[player]), _slopes(b, net[player]))
        hint = "the value is right: is the gradient cut off on the way?" if size else ""
        assert gap <= 1e-5 + 1e-4 * size, f"it is off by up to {gap:.2g}, of {size:.2g}; {hint}"
        if player == "D":
            yield "the loss of D does not reach the weights of G"
            reached = max(slope.abs().max().item() for slope in _slopes(a, net[other]))
            assert reached == 0, "it does: whose work is it to change the fakes?"


def _two(function, netG, netD, inputs):
    found = function(netG, netD, *(x.clone() if torch.is_tensor(x) else x for x in inputs))
    if found is None or found is ...:
        raise NotImplementedError
    assert isinstance(found, tuple | list) and len(found) == 2, "it returns something else"
    for loss in found:
        assert torch.is_tensor(loss) and loss.numel() == 1, "each loss is one number, in a tensor"
        assert loss.requires_grad, "a loss has no gradient"
    return [loss.squeeze() for loss in found]


def _slopes(loss, net):
    mine = list(net.parameters())
    slopes = torch.autograd.grad(loss, mine, retain_graph=True, allow_unused=True)
    pairs = zip(mine, slopes, strict=True)
    return [torch.zeros_like(w) if slope is None else slope for w, slope in pairs]


def _gap(mine, true):
    pairs = list(zip(mine, true, strict=True))
    return max((a - b).abs().max().item() for a, b in pairs), max(
        b.abs().max().item() for _, b in pairs
    )
