"""Weight-normalised GAN: the norm of batches gives way to the length of weights.

Xiang & Li 2017, arXiv:1704.03971. What differs from DCGAN: each output of a layer is divided by
the length of its weight vector, in place of batch normalisation; the activations have learned
thresholds; and a GAN is judged by how well it reconstructs held-out pictures. The networks without
any norm and with batch normalisation, which the paper compares, are here too.
"""

from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import prod
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from gancourse.fields import Pictures
from gancourse.files.schema import Amount, Channels, Count, Share, Side, Width
from gancourse.gans.blocks import device_of, draw_rows, sampling
from gancourse.training.gan import GAN

TAKES = {"real": Pictures}
SAMPLES = {"real": ("z",)}
PLAYERS = {"D": ("netD",), "G": ("netG",)}
PUBLISHED = ("netG",)
STAGES = {"train_step": "steps"}

EPSILON = 1e-6  # added to squared lengths, as in the authors' code


@dataclass(frozen=True, kw_only=True)
class Config:
    """The hyperparameters; the defaults are those of the faces that the authors show.

    They stand in the example of their README and in the defaults of ``pytorch/main.py``,
    github.com/stormraiser/GAN-weight-norm. Their README says that the program of the paper's
    experiments had an error in its gradients, and that the step size 2e-5 is for the mended one.
    """

    image_size: Side = 160  # pixels; halved until it is below 8
    image_channels: Channels = 3  # 3 for colour, 1 for grey
    norm: Literal["weight", "batch", "none"] = "weight"  # the three networks of the paper
    latent_dim: Width = 256  # numbers in z, from N(0, 1)
    ngf: Width = 64  # maps of G's last hidden layer; each earlier layer has twice as many
    ndf: Width = 64  # maps of D's first layer; each later layer has twice as many
    lr_g: Amount = 2e-5  # RMSProp's step size for G
    lr_d: Amount = 2e-5  # the same for D
    alpha: Share = 0.9  # decay of RMSProp's mean of squared gradients
    batch_size: Count = 32  # pictures
    steps: Count = 200_000  # updates of each player


_LAPTOP = Config(
    image_size=32,
    image_channels=1,
    latent_dim=64,
    ngf=16,  # a quarter of the authors', for time
    ndf=16,
    lr_g=2e-4,
    lr_d=2e-4,
    steps=1_000,
)

PRESETS = {
    "smoke": replace(_LAPTOP, ngf=8, ndf=8, steps=10),
    "laptop": _LAPTOP,
    # The authors' program, with these differences: G ends in tanh, for pictures in [-1, 1], where
    # theirs ends in a sigmoid, for [0, 1], which is the same function on another scale; both
    # players get the same noise, where theirs draws new noise for G; a convolution before batch
    # normalisation has no bias, which that would cancel.
    "paper": Config(),
}


class WeightNorm(nn.Module):
    """A layer whose outputs are divided by the lengths of their weight vectors.

    Strict: y = w.x / |w|. Affine: y = gain * w.x / |w| + shift, which Salimans & Kingma 2016,
    arXiv:1602.07868, introduced.

    Parameters
    ----------
    layer : torch.nn.Linear, torch.nn.Conv2d or torch.nn.ConvTranspose2d
        Without a bias.
    affine : bool
    """

    def __init__(self, layer, affine=False):
        super().__init__()
        self.layer = layer
        # A transposed convolution keeps its outputs along the second axis of its weights.
        self.axis = int(isinstance(layer, nn.ConvTranspose2d))
        # Of its kernel, a pixel of the result sees one position in stride * stride. The paper's
        # equation has no such factor; the authors' code has.
        self.seen = 1 / prod(layer.stride) if self.axis else 1.0
        outputs = layer.weight.shape[self.axis]
        self.gain = nn.Parameter(torch.ones(outputs)) if affine else None
        self.shift = nn.Parameter(torch.zeros(outputs)) if affine else None

    def lengths(self):
        """Return the length of each output's weight vector, (outputs,)."""
        w = self.layer.weight
        others = [axis for axis in range(w.ndim) if axis != self.axis]
        return (w.square().sum(others) * self.seen + EPSILON).sqrt()

    def forward(self, x):
        """Return what the layer returns, normalised: (N, outputs, ...)."""
        along = (-1,) + (1,) * (self.layer.weight.ndim - 2)
        y = self.layer(x) / self.lengths().view(along)
        return y if self.gain is None else y * self.gain.view(along) + self.shift.view(along)


class Threshold(nn.Module):
    """The paper's translated PReLU: PReLU(x - threshold) + threshold, learned for each map.

    A strict layer has no shift. A threshold makes up for it, and leaves the mean of values above it
    as it is.

    Parameters
    ----------
    maps : int
    """

    def __init__(self, maps):
        super().__init__()
        self.threshold = nn.Parameter(torch.zeros(maps))
        self.slope = nn.Parameter(torch.full((maps,), 0.25))

    def forward(self, x):
        """Return the activations of x, (N, maps, H, W)."""
        threshold = self.threshold.view(-1, 1, 1)
        return F.prelu(x - threshold, self.slope.clamp(0, 1)) + threshold


def hidden(norm, layer, maps, *reshape):
    """Return a hidden layer, its norm and its activation.

    Parameters
    ----------
    norm : {"weight", "batch", "none"}
    layer : torch.nn.Module
    maps : int
        Of the output.
    *reshape : torch.nn.Module
        What makes maps of the layer's output, if anything.

    Returns
    -------
    torch.nn.Sequential
    """
    if norm == "weight":
        return nn.Sequential(WeightNorm(layer), *reshape, Threshold(maps))
    norms = [nn.BatchNorm2d(maps)] if norm == "batch" else []
    return nn.Sequential(layer, *reshape, *norms, nn.PReLU(maps))


def output(norm, make):
    """Return an output layer: without batch norm, or with the affine weight norm."""
    return WeightNorm(make(bias=False), affine=True) if norm == "weight" else make(bias=True)


def plan(cfg):
    """Return how many layers halve a picture's side until it is below 8, and that side."""
    layers, side = 0, cfg.image_size
    while side >= 8:
        layers, side = layers + 1, side // 2
    return layers, side


class Generator(nn.Module):
    """Noise in, an image out: a linear layer, then layers that double the side.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        layers, side = plan(cfg)
        widths = [cfg.ngf * 2**i for i in reversed(range(layers))]
        bias = cfg.norm == "none"
        project = nn.Linear(cfg.latent_dim, widths[0] * side**2, bias=bias)
        if cfg.norm == "weight":
            # As in the authors' code. A vector's length does not change the outputs; but the
            # shorter it is, the further a step turns it.
            with torch.no_grad():
                project.weight.mul_(0.01)
        maps = nn.Unflatten(1, (widths[0], side, side))
        self.project = hidden(cfg.norm, project, widths[0], maps)
        doubling = {"kernel_size": 4, "stride": 2, "padding": 1}
        self.up = nn.ModuleList(
            hidden(cfg.norm, nn.ConvTranspose2d(before, after, **doubling, bias=bias), after)
            for before, after in pairwise(widths)
        )
        self.out = output(
            cfg.norm, partial(nn.ConvTranspose2d, widths[-1], cfg.image_channels, **doubling)
        )

    def forward(self, z):
        """Turn z, (N, latent_dim), into images, (N, image_channels, image_size, image_size)."""
        x = self.project(z)  # (N, ngf * 2**(layers - 1), side, side)
        for up in self.up:
            x = up(x)  # half the maps, twice the side
        return torch.tanh(self.out(x))  # (N, image_channels, image_size, image_size)


class Discriminator(nn.Module):
    """An image in, one logit out: layers that halve the side, then one as large as the rest.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        layers, side = plan(cfg)
        widths = [cfg.image_channels] + [cfg.ndf * 2**i for i in range(layers)]
        self.down = nn.Sequential()
        for before, after in pairwise(widths):
            # No batch norm at D's input, as in lesson 2.
            norm = "none" if cfg.norm == "batch" and not len(self.down) else cfg.norm
            layer = nn.Conv2d(before, after, 4, 2, 1, bias=norm == "none")
            self.down.append(hidden(norm, layer, after))
        self.out = output(cfg.norm, partial(nn.Conv2d, widths[-1], 1, side))

    def forward(self, x):
        """Judge images, (N, image_channels, image_size, image_size), by one logit each, (N,)."""
        x = self.down(x)  # (N, ndf * 2**(layers - 1), side, side)
        return self.out(x).flatten()


def d_loss(real_logits, fake_logits):
    """Return what D minimises: -log D(x) - log(1 - D(G(z))), as in lesson 1.

    Parameters
    ----------
    real_logits, fake_logits : Tensor, (N,)

    Returns
    -------
    Tensor, ()
        Log 4 = 1.386 nats when D cannot tell the two apart.
    """
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def g_loss(fake_logits):
    """Return what G minimises: -log D(G(z)), in nats.

    Parameters
    ----------
    fake_logits : Tensor, (N,)

    Returns
    -------
    Tensor, ()
    """
    return F.softplus(-fake_logits).mean()


def draw_z(cfg, n, generator=None, device="cpu"):
    """Draw ``n`` latent vectors, (n, latent_dim), from N(0, 1)."""
    return torch.randn(n, cfg.latent_dim, generator=generator, device=device)


def inputs(cfg):
    """Return the fields that a batch has for this configuration, by name."""
    shape = (cfg.image_channels, cfg.image_size, cfg.image_size)
    return {"real": Pictures(shape=shape)}


def configure(preset, fields):
    """Return a preset's configuration, fitted to the fields of a data set."""
    return replace(PRESETS[preset], image_channels=fields["real"].channels)


def networks(cfg):
    """Return the untrained networks by name."""
    return {"netG": Generator(cfg), "netD": Discriminator(cfg)}


def build(cfg, run):
    """Return the two players with their optimizers.

    Weights start as PyTorch draws them, as in the authors' code.

    Parameters
    ----------
    cfg : Config
    run : Run

    Returns
    -------
    GAN
        With ``netG``, ``netD``, ``opt_g``, ``opt_d``.
    """
    netG, netD = (run.place(net) for net in networks(cfg).values())
    gan = GAN(cfg, PUBLISHED, netG=netG, netD=netD)
    options = {"alpha": cfg.alpha, "eps": EPSILON}
    gan.opt_g = torch.optim.RMSprop(netG.parameters(), lr=cfg.lr_g, **options)
    gan.opt_d = torch.optim.RMSprop(netD.parameters(), lr=cfg.lr_d, **options)
    return gan


def train_step(gan, batch, run):
    """Update D once, then G once.

    Parameters
    ----------
    gan : GAN
    batch : dict
        ``real``: (N, image_channels, image_size, image_size) in [-1, 1].
    run : Run

    Returns
    -------
    dict of str to Tensor, ()
        Both losses in nats, and D's mean probability of "real" for real and for fake images.
    """
    real = batch["real"]
    with run.autocast():
        fake = gan.netG(draw_z(gan.cfg, len(real), device=run.device))

        real_logits = gan.netD(real)
        fake_logits = gan.netD(fake.detach())
        loss_d = d_loss(real_logits, fake_logits)
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    with run.autocast():
        loss_g = g_loss(gan.netD(fake))
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)

    return {
        "D/adv": loss_d.detach(),
        "G/adv": loss_g.detach(),
        "D/prob_real": real_logits.detach().sigmoid().mean(),
        "D/prob_fake": fake_logits.detach().sigmoid().mean(),
    }


@torch.no_grad()
def sample(gan, n, *, seed=0, z=None):
    """Draw ``n`` images.

    Parameters
    ----------
    gan : GAN
    n : int
    seed : int
        Seed of the noise: the first samples are the same for every ``n``. The random state of the
        training stays as it is.
    z : Tensor, (n, latent_dim), optional
        The noise itself; ``n`` and ``seed`` are then not used.

    Returns
    -------
    Tensor, (n, image_channels, image_size, image_size)
        In [-1, 1].
    """
    with sampling(gan) as netG:
        if z is None:
            z = draw_rows(draw_z, gan.cfg, n, seed)
        return netG(z.to(device_of(netG)))
