"""Least squares GAN: squared errors in place of the cross-entropy.

Mao et al. 2017, arXiv:1611.04076. What differs from the DCGAN: the losses are squared differences
of D's output from target numbers, so that fakes far from the decision boundary get a gradient even
where D takes them for real. The paper's networks have a few more layers; the smaller presets keep
those of the DCGAN, so that only the loss differs.
"""

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import torch
from torch import nn

from gancourse.fields import Pictures
from gancourse.files.schema import (
    Amount,
    Channels,
    Count,
    Decay,
    Few,
    Finite,
    PerLayer,
    Share,
    Side,
    Width,
)
from gancourse.gans.blocks import device_of, draw_rows, init_normal, r1_penalty, sampling
from gancourse.training.ema import EMA
from gancourse.training.gan import GAN
from gancourse.training.schedules import Anneal, following

TAKES = {"real": Pictures}
SAMPLES = {"real": ("z",)}
PLAYERS = {"D": ("netD",), "G": ("netG",)}
PUBLISHED = ("netG",)
STAGES = {"train_step": "steps"}


@dataclass(frozen=True, kw_only=True)
class Config:
    """The hyperparameters; the defaults are the paper's, for 112x112 scenes.

    The numbers are those of the authors' ``vgg.py`` and ``train_lsun.py``,
    github.com/xudonmao/LSGAN.
    """

    image_size: Side = 112  # pixels; a multiple of the product of G's strides, and of that of D's
    image_channels: Channels = 3  # 3 for colour, 1 for grey
    latent_dim: Width = 1024  # numbers in z, each uniform in [-1, 1]
    g_channels: PerLayer = (256, 256, 256, 256, 256, 128, 64)  # of G's hidden layers
    g_strides: PerLayer = (2, 1, 2, 1, 2, 2, 1)  # of the convolution after each; 2 doubles the side
    g_kernel: Few = 3  # pixels; 4 needs a stride of 2 in every layer
    d_channels: PerLayer = (64, 128, 256, 512)  # of D's layers, each with a stride of 2
    d_kernel: Few = 5  # pixels
    a: Finite = 0.0  # D's target for fakes
    b: Finite = 1.0  # D's target for real images
    c: Finite = 1.0  # G's target for fakes; the paper's other choice of a, b, c is -1, 1, 0
    optimizer: Literal["adam", "rmsprop"] = "adam"  # the paper compares both
    lr_g: Amount = 1e-3  # step size of G
    lr_d: Amount = 1e-3  # the same for D
    lr_decay: Decay = 1.0  # divides both step sizes after each step; above 1, samples settle
    betas: tuple[Share, Share] = (0.5, 0.999)  # Adam's decay rates
    alpha: Share = 0.9  # RMSProp's decay rate, the default of the authors' framework
    init_std: Amount = 0.02  # weights start from N(0, init_std), gains from N(1, init_std)
    r1: Amount = 0.0  # weight of the penalty on D's gradient; above 0, D has biases, no batch norm
    r1_every: Count = 8  # updates of D between two that are penalised
    ema_decay: Share = 0.0  # decay of the average of G's weights, which sample() uses; 0: none
    batch_size: Count = 64  # images
    steps: Count = 1_000_000  # updates of each player, the most that the authors' code makes


# The networks and settings of lesson 2, so that only the loss differs.
_LAPTOP = Config(
    image_size=64,  # the side of the drawn faces
    latent_dim=100,
    g_channels=(256, 128, 64, 32),
    g_strides=(2, 2, 2, 2),
    g_kernel=4,  # a multiple of the stride: every pixel gets as many products as its neighbours
    d_channels=(16, 32, 64, 128),
    d_kernel=4,
    ema_decay=0.995,
    batch_size=32,
    steps=1_500,
)

PRESETS = {
    "smoke": replace(
        _LAPTOP,
        image_size=32,
        g_channels=(32, 16, 8),
        g_strides=(2, 2, 2),
        d_channels=(8, 16, 32),
        steps=10,
    ),
    "laptop": _LAPTOP,
    # The published numbers, with these differences: as in lesson 2, batch norm after G's first
    # layer works on each unit and not on each of its 256 channels, gains start near 1 and not at
    # 1, and there is no bias where batch norm would cancel it, nor in the players' last layers.
    # The losses are means over the batch, the authors' are sums: a constant factor, which Adam's
    # steps do not depend on.
    "paper": Config(),
}


class Generator(nn.Module):
    """Noise in, an image out: a projection to a small map, then transposed convolutions.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        widths = [*cfg.g_channels, cfg.image_channels]
        self.side = cfg.image_size // math.prod(cfg.g_strides)
        k, pad = cfg.g_kernel, (cfg.g_kernel - 1) // 2
        # No layer has a bias: batch norm has a shift of its own.
        self.project = nn.Linear(cfg.latent_dim, widths[0] * self.side**2, bias=False)
        self.project_norm = nn.BatchNorm1d(widths[0] * self.side**2)
        self.up = nn.ModuleList(  # with this output_padding, exactly `stride` times the side
            nn.ConvTranspose2d(
                before, after, k, stride, pad, output_padding=(k - stride) % 2, bias=False
            )
            for (before, after), stride in zip(pairwise(widths), cfg.g_strides, strict=True)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths[1:-1])
        self.activation = nn.ReLU()

    def forward(self, z):
        """Turn z, (N, latent_dim), into images, (N, image_channels, image_size, image_size)."""
        x = self.activation(self.project_norm(self.project(z)))
        x = x.unflatten(1, (-1, self.side, self.side))  # (N, g_channels[0], side, side)
        for up, norm in zip(self.up[:-1], self.norms, strict=True):
            x = self.activation(norm(up(x)))  # (N, g_channels[i + 1], stride times the side)
        return torch.tanh(self.up[-1](x))  # (N, image_channels, image_size, image_size)


class Discriminator(nn.Module):
    """An image in, one number out, without a sigmoid: layers that halve the side, a linear unit.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        widths = [cfg.image_channels, *cfg.d_channels]
        k, pad = cfg.d_kernel, (cfg.d_kernel - 1) // 2
        # Without a bias and without batch norm, D(c x) = c D(x): D could not tell pale images.
        bias = cfg.r1 > 0
        self.down = nn.ModuleList(
            nn.Conv2d(before, after, k, 2, pad, bias=bias) for before, after in pairwise(widths)
        )
        # Batch norm would let each image change the outputs, and the gradients, of the others.
        norms = [nn.Identity() if cfg.r1 else nn.BatchNorm2d(width) for width in widths[2:]]
        self.norms = nn.ModuleList([nn.Identity(), *norms])  # none at D's input
        self.activation = nn.LeakyReLU(0.2)
        side = cfg.image_size // 2 ** len(cfg.d_channels)
        self.out = nn.Linear(widths[-1] * side**2, 1, bias=bias)

    def forward(self, x):
        """Return one number, (N,), for images (N, image_channels, image_size, image_size)."""
        for down, norm in zip(self.down, self.norms, strict=True):
            x = self.activation(norm(down(x)))  # (N, d_channels[i], half the side)
        return self.out(x.flatten(1)).squeeze(1)


def d_loss(real_logits, fake_logits, a=0.0, b=1.0):
    """Return what D minimises: (D(x) - b)^2 / 2 + (D(G(z)) - a)^2 / 2.

    Parameters
    ----------
    real_logits, fake_logits : Tensor, (N,)
        D's output, to which no sigmoid is applied.
    a, b : float
        D's targets for fakes and for real images.

    Returns
    -------
    Tensor, ()
        (b - a)^2 / 4 when D cannot tell the two apart: 1/4 with the targets 0 and 1.
    """
    return (real_logits - b).square().mean() / 2 + (fake_logits - a).square().mean() / 2


def g_loss(fake_logits, c=1.0):
    """Return what G minimises: (D(G(z)) - c)^2 / 2.

    Parameters
    ----------
    fake_logits : Tensor, (N,)
    c : float
        G's target for fakes: b, or the mean of a and b.

    Returns
    -------
    Tensor, ()
    """
    return (fake_logits - c).square().mean() / 2


def draw_z(cfg, n, generator=None, device="cpu"):
    """Draw ``n`` latent vectors, (n, latent_dim), uniform in [-1, 1]."""
    return torch.rand(n, cfg.latent_dim, generator=generator, device=device) * 2 - 1


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

    Parameters
    ----------
    cfg : Config
    run : Run

    Returns
    -------
    GAN
        With ``netG``, ``netD``, ``opt_g``, ``opt_d``, their schedules if ``lr_decay`` is not 1,
        and ``ema`` if ``ema_decay`` is above 0.
    """
    netG, netD = networks(cfg).values()
    for net in (netG, netD):
        init_normal(net, cfg.init_std, gain_std=cfg.init_std)
    netG = run.place(netG)
    if cfg.r1:
        run = replace(run, compile=False)  # a compiled network has no second derivatives
    gan = GAN(cfg, PUBLISHED, netG=netG, netD=run.place(netD))
    if cfg.optimizer == "adam":
        optimizer, options = torch.optim.Adam, {"betas": cfg.betas, "fused": True}
    else:
        optimizer, options = torch.optim.RMSprop, {"alpha": cfg.alpha}
    gan.opt_g = optimizer(netG.parameters(), lr=cfg.lr_g, **options)
    gan.opt_d = optimizer(netD.parameters(), lr=cfg.lr_d, **options)
    if cfg.lr_decay != 1:
        gan.schedule_g = following(Anneal(gan.opt_g, decay=cfg.lr_decay, least=1e-6))
        gan.schedule_d = following(Anneal(gan.opt_d, decay=cfg.lr_decay, least=1e-6))
    if cfg.ema_decay:
        gan.ema = EMA(netG, cfg.ema_decay, gan.opt_g)
    return gan


def train_step(gan, batch, run):
    """Update D once, then G once.

    Real and fake images pass through D in separate batches, so that batch normalisation takes
    its statistics from images of one kind.

    Parameters
    ----------
    gan : GAN
    batch : dict
        ``real``: (N, image_channels, image_size, image_size) in [-1, 1].
    run : Run

    Returns
    -------
    dict of str to Tensor, ()
        Both losses, and D's mean output for real and for fake images.
    """
    penalised = gan.cfg.r1 > 0 and gan.step % gan.cfg.r1_every == 0
    real = batch["real"].detach().requires_grad_(penalised)
    with run.autocast():
        fake = gan.netG(draw_z(gan.cfg, len(real), device=run.device))

        real_logits = gan.netD(real)
        fake_logits = gan.netD(fake.detach())
        loss_d = d_loss(real_logits, fake_logits, gan.cfg.a, gan.cfg.b)
    penalty = gan.cfg.r1 * gan.cfg.r1_every * r1_penalty(real, real_logits) if penalised else 0
    gan.opt_d.zero_grad()
    (loss_d + penalty).backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    with run.autocast():
        loss_g = g_loss(gan.netD(fake), gan.cfg.c)
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)

    return {
        "D/adv": loss_d.detach(),
        "G/adv": loss_g.detach(),
        "D/logit_real": real_logits.detach().mean(),
        "D/logit_fake": fake_logits.detach().mean(),
    }


@torch.no_grad()
def sample(gan, n, *, seed=0, z=None):
    """Draw ``n`` images, from the averaged generator if there is one.

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
        device = device_of(netG)
        if z is None:
            z = draw_rows(draw_z, gan.cfg, n, seed)
        return netG(z.to(device))
