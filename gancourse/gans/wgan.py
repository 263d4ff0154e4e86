"""Wasserstein GAN: D estimates how far the mass must be moved, and G shortens the way.

Arjovsky, Chintala, Bottou 2017, arXiv:1701.07875. What differs from the DCGAN: D is a critic, which
gives scores and ends without a sigmoid; its loss is a difference of means; after each of its
updates its weights are clipped, so that it cannot be arbitrarily steep; it is updated five times
for each update of G; and RMSProp takes the place of Adam.
"""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import nn

from gancourse.fields import Pictures, Points
from gancourse.files.schema import Amount, Count, PerLayer, Share, Width
from gancourse.gans.blocks import device_of, draw_rows, init_normal, perceptron, sampling
from gancourse.training.ema import EMA
from gancourse.training.gan import GAN

TAKES = {"real": Pictures | Points}
SAMPLES = {"real": ("z",)}
PLAYERS = {"D": ("netD",), "G": ("netG",)}
PUBLISHED = ("netG",)
STAGES = {"train_step": "steps"}


@dataclass(frozen=True, kw_only=True)
class Config:
    """The hyperparameters; the defaults are the paper's, for 64x64 bedrooms.

    What the paper leaves open is as in ``main.py`` of github.com/martinarjovsky/WassersteinGAN.
    """

    sample_shape: PerLayer = (3, 64, 64)  # (channels, side, side), 4 times a power of 2; or (2,)
    latent_dim: Width = 100  # numbers in z, each normal (authors' code)
    ngf: Width = 64  # channels of G's last hidden layer; each earlier layer has twice as many
    ndf: Width = 64  # channels of D's first layer; each later layer has twice as many
    hidden: PerLayer = (512, 512, 512, 512)  # ReLU units per layer of a perceptron (section 4.3)
    g_perceptron: bool = False  # G is a perceptron, as in figure 7; for points both always are
    g_norm: bool = True  # batch norm in G; figure 6 leaves it out
    d_norm: bool = True  # batch norm in D, as in the authors' code
    init_std: Amount = 0.02  # convolutions start from N(0, init_std), gains from N(1, init_std)
    clip: Amount = 0.01  # after each update D's weights are clipped to +-clip (algorithm 1)
    n_critic: Count = 5  # updates of D for each update of G (algorithm 1)
    lr_g: Amount = 5e-5  # RMSProp's step size for G (algorithm 1)
    lr_d: Amount = 5e-5  # the same for D
    alpha: Share = 0.99  # RMSProp's decay rate, PyTorch's default (authors' code)
    ema_decay: Share = 0.0  # decay of the average of G's weights, which sample() uses; 0: none
    batch_size: Count = 64  # samples (algorithm 1)
    steps: Count = 1_171_875  # updates of D: 25 epochs of 3 million bedrooms (authors' code)


# Smaller, and with larger steps. The clipping is the paper's.
_LAPTOP = Config(
    sample_shape=(3, 32, 32),
    ngf=16,
    ndf=16,
    n_critic=2,
    lr_g=5e-4,
    lr_d=5e-4,
    ema_decay=0.99,
    batch_size=32,
    steps=2_000,
)

PRESETS = {
    "smoke": replace(_LAPTOP, ngf=4, ndf=4, steps=20),
    "laptop": _LAPTOP,
    # The published numbers. The authors' program differs from algorithm 1 in two places, where ours
    # follows the algorithm: it makes 100 updates of D before each of G's first 25 updates and each
    # 500th; and it clips before D's update, not after it, so that G meets weights beyond the limit.
    "paper": Config(),
}

# For points in the plane, which neither the paper nor the authors' program has.
_PLANE = Config(
    sample_shape=(2,),
    latent_dim=2,
    hidden=(128, 128),
    clip=0.1,  # with 0.01 every gradient vanishes in three layers of this width
    lr_g=2e-4,
    lr_d=1e-3,
    batch_size=128,
    steps=3_000,
)

PLANE = {
    "smoke": replace(_PLANE, hidden=(32, 32), steps=60),
    "laptop": _PLANE,
    "paper": replace(_PLANE, hidden=(512, 512, 512, 512), steps=100_000),
}


class Generator(nn.Module):
    """Noise in, a picture out: transposed convolutions, of which each but the first doubles.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        channels, side, _ = cfg.sample_shape
        depth = int(math.log2(side // 4))
        widths = [cfg.latent_dim, *(cfg.ngf * 2**i for i in reversed(range(depth))), channels]
        # No layer has a bias, as in the authors' code: batch norm has a shift of its own.
        first = nn.ConvTranspose2d(widths[0], widths[1], 4, bias=False)  # 1x1 -> 4x4
        doublings = [
            nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)
            for before, after in pairwise(widths[1:])
        ]
        self.up = nn.ModuleList([first, *doublings])
        norm = nn.BatchNorm2d if cfg.g_norm else nn.Identity
        self.norms = nn.ModuleList(norm(width) for width in widths[1:-1])
        self.activation = nn.ReLU()

    def forward(self, z):
        """Turn z, (N, latent_dim), into pictures, (N, channels, side, side)."""
        x = z[:, :, None, None]
        for up, norm in zip(self.up[:-1], self.norms, strict=True):
            x = self.activation(norm(up(x)))  # (N, 8 ngf, 4, 4), then half, twice the side
        return torch.tanh(self.up[-1](x))


class PerceptronGenerator(nn.Module):
    """Noise in, a sample out: linear layers with ReLU between them.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        self.shape = tuple(cfg.sample_shape)
        self.layers = perceptron((cfg.latent_dim, *cfg.hidden, math.prod(self.shape)))

    def forward(self, z):
        """Turn z, (N, latent_dim), into samples, (N, *sample_shape)."""
        x = self.layers(z).unflatten(1, self.shape)
        # The authors' perceptron ends without a tanh. Ours keeps pixels in their range.
        return torch.tanh(x) if len(self.shape) == 3 else x


class Critic(nn.Module):
    """A picture in, one number out, of any size: convolutions that halve the side down to 4x4.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        channels, side, _ = cfg.sample_shape
        depth = int(math.log2(side // 4))
        widths = [channels, *(cfg.ndf * 2**i for i in range(depth))]
        bias = not cfg.d_norm  # without both, f(c x) = c f(x)
        self.down = nn.ModuleList(
            nn.Conv2d(before, after, 4, 2, 1, bias=bias) for before, after in pairwise(widths)
        )
        norm = nn.BatchNorm2d if cfg.d_norm else nn.Identity
        self.norms = nn.ModuleList([nn.Identity(), *(norm(width) for width in widths[2:])])
        self.activation = nn.LeakyReLU(0.2)
        self.out = nn.Conv2d(widths[-1], 1, 4, bias=False)  # 4x4 -> 1x1

    def forward(self, x):
        """Score pictures, (N, channels, side, side), by one number each, (N,)."""
        for down, norm in zip(self.down, self.norms, strict=True):
            x = self.activation(norm(down(x)))  # (N, ndf, 2 ndf, ..., half the side)
        return self.out(x).flatten()


class PointCritic(nn.Module):
    """A point in, one number out.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        self.layers = perceptron((*cfg.sample_shape, *cfg.hidden, 1))

    def forward(self, x):
        """Score points, (N, D), by one number each, (N,)."""
        return self.layers(x).squeeze(1)


def d_loss(real_scores, fake_scores):
    """Return what D minimises: minus the gap between the mean scores, equation 3.

    Parameters
    ----------
    real_scores, fake_scores : Tensor, (N,)

    Returns
    -------
    Tensor, ()
        Minus W1, times the slope that the clipped weights allow, if D is at its best.
    """
    return fake_scores.mean() - real_scores.mean()


def g_loss(fake_scores):
    """Return what G minimises: minus the mean score of fakes, (N,)."""
    return -fake_scores.mean()


@torch.no_grad()
def clip_weights(net, c):
    """Clip every weight and bias of a network to [-c, c]."""
    for weight in net.parameters():
        weight.clamp_(-c, c)


def draw_z(cfg, n, generator=None, device="cpu"):
    """Draw ``n`` latent vectors, (n, latent_dim), from the standard normal distribution."""
    return torch.randn(n, cfg.latent_dim, generator=generator, device=device)


def inputs(cfg):
    """Return the fields that a batch has for this configuration, by name."""
    shape = tuple(cfg.sample_shape)
    return {"real": Pictures(shape=shape) if len(shape) == 3 else Points(dimensions=shape[0])}


def configure(preset, fields):
    """Return a preset's configuration, fitted to the fields of a data set."""
    real = fields["real"]
    if isinstance(real, Points):
        return replace(PLANE[preset], sample_shape=real.shape)
    cfg = PRESETS[preset]
    return replace(cfg, sample_shape=(real.channels, *cfg.sample_shape[1:]))


def networks(cfg):
    """Return the untrained networks by name."""
    points = len(cfg.sample_shape) == 1
    netG = PerceptronGenerator(cfg) if points or cfg.g_perceptron else Generator(cfg)
    return {"netG": netG, "netD": PointCritic(cfg) if points else Critic(cfg)}


def build(cfg, run):
    """Return the two players with their optimizers.

    Parameters
    ----------
    cfg : Config
    run : Run

    Returns
    -------
    GAN
        With ``netG``, ``netD``, ``opt_g``, ``opt_d``, and ``ema`` if ``ema_decay`` is above 0.
    """
    netG, netD = networks(cfg).values()
    for net in (netG, netD):
        if not any(isinstance(layer, nn.Linear) for layer in net.modules()):
            init_normal(net, cfg.init_std, gain_std=cfg.init_std)  # a perceptron keeps PyTorch's
    clip_weights(netD, cfg.clip)  # the authors clip before the first update, too
    gan = GAN(cfg, PUBLISHED, netG=run.place(netG), netD=run.place(netD))
    gan.opt_g = torch.optim.RMSprop(netG.parameters(), lr=cfg.lr_g, alpha=cfg.alpha)
    gan.opt_d = torch.optim.RMSprop(netD.parameters(), lr=cfg.lr_d, alpha=cfg.alpha)
    if cfg.ema_decay:
        gan.ema = EMA(netG, cfg.ema_decay, gan.opt_g)
    return gan


def train_step(gan, batch, run):
    """Update D once, and G in the last of every ``n_critic`` steps: algorithm 1.

    Parameters
    ----------
    gan : GAN
    batch : dict
        ``real``: (N, *sample_shape), in G's output range.
    run : Run

    Returns
    -------
    dict of str to Tensor, ()
        Both losses; that of G only in steps that update G.
    """
    cfg, real = gan.cfg, batch["real"]
    with run.autocast():
        with torch.no_grad():  # D's loss must not change G
            fake = gan.netG(draw_z(cfg, len(real), device=run.device))
        loss_d = d_loss(gan.netD(real), gan.netD(fake))
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()
    clip_weights(gan.netD, cfg.clip)
    losses = {"D/adv": loss_d.detach()}

    if (gan.step + 1) % cfg.n_critic == 0:
        gan.netD.requires_grad_(False)  # G's gradient passes through D, whose weights need none
        with run.autocast():
            loss_g = g_loss(gan.netD(gan.netG(draw_z(cfg, len(real), device=run.device))))
        gan.opt_g.zero_grad()
        loss_g.backward()
        gan.opt_g.step()
        gan.netD.requires_grad_(True)
        losses["G/adv"] = loss_g.detach()

    return losses


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
