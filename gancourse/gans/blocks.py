"""What the papers of several GANs only cite: an initialisation, an image pool, drawing samples."""

from contextlib import contextmanager

import torch
from torch import nn


def init_normal(net, std, gain_std=None):
    """Draw the weights of convolutions and linear layers from N(0, std); biases start at 0.

    Parameters
    ----------
    net : torch.nn.Module
    std : float
    gain_std : float, optional
        Gains of norms start from N(1, gain_std); left out, at 1, as they are.
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


@contextmanager
def sampling(gan, name="netG"):
    """Give a published network, averaged if there is an average, in evaluation mode for a while.

    Parameters
    ----------
    gan : GAN
    name : str
        As the GAN's file publishes it.

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
    """Return the device that a network's weights lie on."""
    return next(net.parameters()).device


class ImagePool:
    """Earlier fakes of one generator, for D, which must not forget how to tell those.

    Shrivastava et al. 2017, arXiv:1612.07828, section 2.3. It holds ``size`` pictures; 0 passes
    all pictures through.
    """

    def __init__(self, size):
        self.size, self.count, self.images = size, 0, None

    def __call__(self, fake):
        """Return as many pictures as came in, (N, C, H, W): each is new or, evenly likely, old.

        Until the pool is full it keeps and returns all. From then on a new picture takes, with
        probability 1/2, the place of an old one, which is returned instead.
        """
        if not self.size:
            return fake
        if self.images is None:
            self.images = fake.new_zeros(self.size, *fake.shape[1:])
        self.images = self.images.to(fake.device)  # after loading it may lie elsewhere
        room = min(self.size - self.count, len(fake))
        self.images[self.count : self.count + room] = fake[:room]
        self.count += room
        if room == len(fake):
            return fake
        kept, new = fake[:room], fake[room:]
        # Drawn and swapped on the device: no number is looked at, so nothing waits for a GPU.
        place = torch.randperm(self.size, device=fake.device)[: len(new)]
        swap = torch.rand(len(new), 1, 1, 1, device=fake.device) < 0.5
        old = self.images[place]
        self.images[place] = torch.where(swap, new, old)
        return torch.cat([kept, torch.where(swap, old, new)])

    def state_dict(self):
        """Return the pictures that it holds; None before the first."""
        return {"images": None if self.images is None else self.images[: self.count]}

    def load_state_dict(self, state):
        """Take over what :meth:`state_dict` returned."""
        self.count, self.images = 0, None
        if state["images"] is not None:
            self(state["images"])
