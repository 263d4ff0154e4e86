"""What several papers use and none introduces: an initialisation, an image pool, sampling."""

from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import nn


def init_normal(net, std, gain_std=None):
    """Draw the weights of convolutions and linear layers from N(0, std); biases start at 0.

    Parameters
    ----------
    net : torch.nn.Module
    std : float
        Standard deviation of the weights.
    gain_std : float, optional
        Standard deviation of the gains of norms, whose mean is 1. If left out, gains stay as they
        are, at 1.
    """
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, 0.0, std)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.InstanceNorm2d) and gain_std:
            nn.init.normal_(layer.weight, 1.0, gain_std)
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def perceptron(sizes):
    """Return linear layers from the first of ``sizes`` to the last, with ReLU between them."""
    first, *later = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    return nn.Sequential(first, *(layer for linear in later for layer in (nn.ReLU(), linear)))


def r1_penalty(real, logits):
    """Return the penalty R1: half the squared norm of D's gradient at real samples.

    Mescheder, Geiger, Nowozin 2018, arXiv:1801.04406, equation 9. A D whose gradient is 0 on the
    data gives G no reason to leave them. Karras et al. 2020, arXiv:1912.04958, appendix B, add it
    in one update of n, with n times its weight, which costs less and trains as well.

    Parameters
    ----------
    real : Tensor, (N, ...)
        What D judged; requires a gradient.
    logits : Tensor, (N,) or (N, ...)
        D's logits of ``real``. Each may depend on its own sample only, so D has no batch norm.

    Returns
    -------
    Tensor, ()
        The mean over the samples; it can be differentiated by D's weights.
    """
    (gradient,) = torch.autograd.grad(logits.float().sum(), real, create_graph=True)
    return gradient.float().square().flatten(1).sum(1).mean() / 2


@contextmanager
def sampling(gan, name="netG"):
    """Put a published network, or its average if there is one, into evaluation mode.

    Its former mode is restored at the end of the ``with`` block.

    Parameters
    ----------
    gan : GAN
    name : str
        One of the names in the file's ``PUBLISHED``.

    Yields
    ------
    torch.nn.Module
    """
    net = gan.generators()[name]
    training = net.training
    try:
        yield net.eval()
    finally:
        net.train(training)


def device_of(net):
    """Return the device of a network's weights."""
    return next(net.parameters()).device


def draw_rows(draw_z, cfg, n, seed):
    """Return ``n`` latent vectors, of which the first depend neither on ``n`` nor on the device.

    PyTorch draws normal numbers in groups of 16, and the rest of a group in another way. Therefore
    rows are drawn in multiples of 16, on the CPU.

    Parameters
    ----------
    draw_z : callable
        ``draw_z(cfg, n, generator)`` of a GAN's file.
    cfg : Config
    n, seed : int

    Returns
    -------
    Tensor, (n, latent_dim), on the CPU
    """
    return draw_z(cfg, n + -n % 16, torch.Generator().manual_seed(seed))[:n]


class ImagePool:
    """Earlier fakes of one generator, so that D is trained on these as well as on new ones.

    Shrivastava et al. 2017, arXiv:1612.07828, section 2.3.

    Parameters
    ----------
    size : int
        How many pictures it holds. With 0 every call returns the pictures that it is given.
    """

    def __init__(self, size):
        self.size, self.count, self.images = size, 0, None

    def __call__(self, fake):
        """Return as many pictures as are given, some of them from earlier calls.

        Until the pool is full, it stores and returns every new picture. From then on, with
        probability 1/2, a new picture replaces a random stored one, which is returned in its
        place; otherwise the new picture is returned and not stored.

        Parameters
        ----------
        fake : Tensor, (N, C, H, W)
            At most ``size`` pictures, if ``size`` is above 0.
        """
        if not self.size:
            return fake
        if self.images is None:
            self.images = fake.new_zeros(self.size, *fake.shape[1:])
        self.images = self.images.to(fake.device)  # load_state_dict may have put them on another
        room = min(self.size - self.count, len(fake))
        self.images[self.count : self.count + room] = fake[:room]
        self.count += room
        if room == len(fake):
            return fake
        kept, new = fake[:room], fake[room:]
        # Python reads none of these numbers, so that it need not wait for a GPU.
        place = torch.randperm(self.size, device=fake.device)[: len(new)]
        swap = torch.rand(len(new), 1, 1, 1, device=fake.device) < 0.5
        old = self.images[place]
        self.images[place] = torch.where(swap, new, old)
        return torch.cat([kept, torch.where(swap, old, new)])

    def state_dict(self):
        """Return the stored pictures; None before the first."""
        return {"images": None if self.images is None else self.images[: self.count]}

    def load_state_dict(self, state):
        """Restore what :meth:`state_dict` returned."""
        self.count, self.images = 0, None
        if state["images"] is not None:
            self(state["images"])
