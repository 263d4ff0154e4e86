"""Generative adversarial nets: two multilayer perceptrons play a minimax game.

Goodfellow et al. 2014, arXiv:1406.2661. This is the first GAN of the course. Each later file
keeps the two players and changes the networks, the losses or the inputs.
"""

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from gancourse.fields import Pictures, Points
from gancourse.files.schema import Amount, Count, Decay, PerLayer, Share, Width
from gancourse.gans.blocks import device_of, draw_rows, r1_penalty, sampling
from gancourse.training.ema import EMA
from gancourse.training.gan import GAN
from gancourse.training.schedules import Anneal, following

TAKES = {"real": Pictures | Points}
SAMPLES = {"real": ("z",)}
PLAYERS = {"D": ("netD",), "G": ("netG",)}
PUBLISHED = ("netG",)
STAGES = {"train_step": "steps"}


@dataclass(frozen=True, kw_only=True)
class Config:
    """The hyperparameters; the defaults are the paper's, for MNIST.

    The paper gives the networks in words (section 5); the numbers stand in the authors'
    ``mnist.yaml``, github.com/goodfeli/adversarial.
    """

    sample_shape: PerLayer = (1, 28, 28)  # (channels, height, width), or (2,) for points
    latent_dim: Width = 100  # numbers in z
    prior: Literal["uniform", "normal"] = "uniform"  # of z, with mean 0 and variance 1
    g_hidden: PerLayer = (1200, 1200)  # ReLU units per hidden layer of G
    d_hidden: PerLayer = (240, 240)  # units per hidden layer of D
    maxout_pieces: Width = 5  # linear pieces per unit of D; 1 means LeakyReLU(0.2), not maxout
    dropout: tuple[Share, Share] = (0.2, 0.5)  # shares dropped: of D's input, of its hidden units
    g_init: Amount = 0.05  # weights of G start uniform in +-g_init; 0 means PyTorch's default
    d_init: Amount = 0.005  # the same for D
    saturating: bool = False  # G minimises log(1 - D(G(z))) instead of -log D(G(z)) (section 3)
    optimizer: Literal["sgd", "adam"] = "sgd"  # SGD has momentum
    lr_g: Amount = 0.1  # step size of G
    lr_d: Amount = 0.1  # step size of D
    lr_decay: Decay = 1.000004  # divides both step sizes after each step
    momentum: tuple[Share, Share] = (0.5, 0.7)  # SGD: at first, and from `momentum_steps` on
    momentum_steps: Count = 125_000  # SGD: steps over which momentum rises (250 epochs of 500)
    betas: tuple[Share, Share] = (0.5, 0.999)  # Adam's two decay rates
    r1: Amount = 0.0  # weight of the penalty on D's gradient at real samples; 0: none
    r1_every: Count = 8  # updates of D between two that are penalised
    ema_decay: Share = 0.0  # decay of the average of G's weights, which sample() uses; 0: none
    batch_size: Count = 100  # samples
    steps: Count = 125_000  # updates of each player; the paper does not say when it stopped


# Smaller, and with Adam, which came six months after the paper. R1 takes the place of dropout,
# which left specks: after 2,000 steps (one seed) the judge FID was 10.5. With dropout, step sizes
# of 4e-4 and betas of (0.5, 0.999) it was 49.6.
_LAPTOP = Config(
    latent_dim=64,
    g_hidden=(512, 512),
    d_hidden=(128, 128),
    dropout=(0.0, 0.0),
    g_init=0.0,
    d_init=0.0,
    optimizer="adam",
    lr_g=1e-3,
    lr_d=1e-3,
    lr_decay=1.0005,  # to below a quarter after 3,000 steps, so that G does not drift at the end
    betas=(0.0, 0.99),
    r1=1.0,
    ema_decay=0.998,
    batch_size=64,
    steps=3_000,  # on the digits the judge FID rises again after them
)

PRESETS = {
    "smoke": replace(_LAPTOP, g_hidden=(64, 64), d_hidden=(32, 32), steps=40),
    "laptop": _LAPTOP,
    # The published numbers. Two things differ: G's output bias starts at 0 and not at the
    # pixels' log-odds, since `build` does not see the data; and pixels are in [-1, 1], so that
    # the sigmoid at the end of G is a tanh (the same function, rescaled).
    "paper": Config(),
}

# For points in the plane. The paper shows such data (figure 1) but gives no numbers.
_PLANE = Config(
    sample_shape=(2,),
    latent_dim=2,
    prior="normal",
    g_hidden=(128, 128),
    d_hidden=(128, 128),
    maxout_pieces=1,
    dropout=(0.0, 0.0),
    g_init=0.0,
    d_init=0.0,
    optimizer="adam",
    lr_g=1e-3,
    lr_d=2e-3,  # twice lr_g; lesson 1 measures the average below alone, and this with others
    lr_decay=1.0,
    ema_decay=0.995,
    batch_size=128,
    steps=3_000,
)

PLANE = {
    "smoke": replace(_PLANE, steps=60),
    "laptop": _PLANE,
    "paper": replace(_PLANE, g_hidden=(400,) * 4, steps=25_000),
}


class Generator(nn.Module):
    """Noise in, a sample out: linear layers with ReLU between them.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        self.sample_shape = tuple(cfg.sample_shape)
        sizes = (cfg.latent_dim, *cfg.g_hidden)
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.out = nn.Linear(sizes[-1], math.prod(self.sample_shape))

    def forward(self, z):
        """Turn z, (N, latent_dim), into samples, (N, *sample_shape)."""
        for layer in self.hidden:
            z = F.relu(layer(z))  # (N, g_hidden[i])
        x = self.out(z).unflatten(1, self.sample_shape)  # (N, *sample_shape)
        return torch.tanh(x) if len(self.sample_shape) == 3 else x  # pixels end in [-1, 1]


class Discriminator(nn.Module):
    """A sample in, one logit out: positive for real, negative for fake.

    A maxout unit takes the largest of several linear functions of its input
    (Goodfellow et al. 2013, arXiv:1302.4389).

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        self.pieces = cfg.maxout_pieces
        sizes = (math.prod(cfg.sample_shape), *cfg.d_hidden)
        self.hidden = nn.ModuleList(nn.Linear(a, b * self.pieces) for a, b in pairwise(sizes))
        self.out = nn.Linear(sizes[-1], 1)
        self.drop_input, self.drop_hidden = (nn.Dropout(p) for p in cfg.dropout)

    def forward(self, x):
        """Judge samples, (N, *sample_shape), by one logit each, (N,)."""
        x = self.drop_input(x.flatten(1))  # (N, prod(sample_shape))
        for layer in self.hidden:
            x = layer(x)  # (N, d_hidden[i] * pieces)
            if self.pieces == 1:
                x = F.leaky_relu(x, 0.2)
            else:
                x = x.unflatten(1, (-1, self.pieces)).amax(2)  # (N, d_hidden[i])
            x = self.drop_hidden(x)
        return self.out(x).squeeze(1)  # (N,)


def d_loss(real_logits, fake_logits):
    """Return what D minimises: -log D(x) - log(1 - D(G(z))), minus equation 1.

    ``softplus(-t)`` is -log sigmoid(t), and stays exact where the sigmoid rounds to 0 or 1.

    Parameters
    ----------
    real_logits, fake_logits : Tensor, (N,)

    Returns
    -------
    Tensor, ()
        Log 4 = 1.386 nats when D cannot tell the two apart.
    """
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def g_loss(fake_logits, saturating=False):
    """Return what G minimises: -log D(G(z)), or log(1 - D(G(z))) when ``saturating``.

    Parameters
    ----------
    fake_logits : Tensor, (N,)
    saturating : bool
        Use the minimax form of equation 1. Its gradient vanishes where D rejects a fake with
        confidence (section 3).

    Returns
    -------
    Tensor, ()
        In nats.
    """
    if saturating:
        return -F.softplus(fake_logits).mean()
    return F.softplus(-fake_logits).mean()


def draw_z(cfg, n, generator=None, device="cpu"):
    """Draw ``n`` latent vectors from the prior; each number has mean 0 and variance 1.

    Returns
    -------
    Tensor, (n, latent_dim)
        Within +-sqrt(3) for the uniform prior.
    """
    shape = (n, cfg.latent_dim)
    if cfg.prior == "uniform":
        return (torch.rand(shape, generator=generator, device=device) * 2 - 1) * math.sqrt(3)
    return torch.randn(shape, generator=generator, device=device)


def inputs(cfg):
    """Return the fields that a batch has for this configuration, by name."""
    shape = tuple(cfg.sample_shape)
    return {"real": Pictures(shape=shape) if len(shape) == 3 else Points(dimensions=shape[0])}


def configure(preset, fields):
    """Return a preset's configuration, fitted to the fields of a data set."""
    real = fields["real"]
    presets = PLANE if isinstance(real, Points) else PRESETS
    return replace(presets[preset], sample_shape=real.shape)


def networks(cfg):
    """Return the untrained networks by name."""
    return {"netG": Generator(cfg), "netD": Discriminator(cfg)}


def optimizer_of(cfg, net, lr):
    """Return a player's optimizer, and the schedule that lowers its step size.

    Parameters
    ----------
    cfg : Config
    net : torch.nn.Module
    lr : float
        The step size at first.

    Returns
    -------
    torch.optim.Optimizer
    LRScheduler or None
        It takes a step after each step of the optimizer; None if nothing is to change.
    """
    if cfg.optimizer == "adam":
        optimizer = torch.optim.Adam(net.parameters(), lr=lr, betas=cfg.betas, fused=True)
        if cfg.lr_decay == 1:
            return optimizer, None
        return optimizer, following(Anneal(optimizer, decay=cfg.lr_decay, least=1e-6))
    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=cfg.momentum[0])
    schedule = Anneal(
        optimizer,
        decay=cfg.lr_decay,
        least=1e-6,
        momentum=cfg.momentum,
        momentum_steps=cfg.momentum_steps,
    )
    return optimizer, following(schedule)


def build(cfg, run):
    """Return the two players with their optimizers.

    Parameters
    ----------
    cfg : Config
    run : Run

    Returns
    -------
    GAN
        With ``netG``, ``netD``, their optimizers and schedules, and ``ema`` if ``ema_decay`` is
        above 0.
    """
    netG, netD = networks(cfg).values()
    for net, width in ((netG, cfg.g_init), (netD, cfg.d_init)):
        for layer in net.modules():
            if width and isinstance(layer, nn.Linear):
                nn.init.uniform_(layer.weight, -width, width)
                nn.init.zeros_(layer.bias)
    netG = run.place(netG)
    if cfg.r1:
        run = replace(run, compile=False)  # a compiled network has no second derivatives
    gan = GAN(cfg, PUBLISHED, netG=netG, netD=run.place(netD))
    gan.opt_g, gan.schedule_g = optimizer_of(cfg, netG, cfg.lr_g)
    gan.opt_d, gan.schedule_d = optimizer_of(cfg, netD, cfg.lr_d)
    if cfg.ema_decay:
        gan.ema = EMA(netG, cfg.ema_decay, gan.opt_g)
    return gan


def train_step(gan, batch, run):
    """Update D once, then G once: algorithm 1 of the paper with k = 1, and with -log D for G.

    Parameters
    ----------
    gan : GAN
    batch : dict
        ``real``: (N, *sample_shape), in G's output range.
    run : Run

    Returns
    -------
    dict of str to Tensor, ()
        Both losses in nats, and D's mean probability of "real" for real and for fake samples.
    """
    penalised = gan.cfg.r1 > 0 and gan.step % gan.cfg.r1_every == 0
    real = batch["real"].detach().requires_grad_(penalised)
    with run.autocast():
        fake = gan.netG(draw_z(gan.cfg, len(real), device=run.device))

        real_logits = gan.netD(real)
        fake_logits = gan.netD(fake.detach())  # D's loss must not change G
        loss_d = d_loss(real_logits, fake_logits)
    penalty = gan.cfg.r1 * gan.cfg.r1_every * r1_penalty(real, real_logits) if penalised else 0
    gan.opt_d.zero_grad()
    (loss_d + penalty).backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)  # G's gradient passes through D, whose weights need none
    with run.autocast():
        loss_g = g_loss(gan.netD(fake), gan.cfg.saturating)
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
    """Draw ``n`` samples, from the averaged generator if there is one.

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
    Tensor, (n, *sample_shape)
        Pixels in [-1, 1], points in the units of their data.
    """
    with sampling(gan) as netG:
        device = device_of(netG)
        if z is None:
            z = draw_rows(draw_z, gan.cfg, n, seed)
        return netG(z.to(device))
