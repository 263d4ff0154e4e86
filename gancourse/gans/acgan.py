"""Auxiliary classifier GAN: G is given a class, and D classifies besides judging.

Odena, Olah, Shlens 2017, arXiv:1610.09585. What differs from DCGAN: G gets a class beside the
noise; D has a second head, on the same layers, that predicts the class of a picture; and the
cross-entropy of that head is added to the losses of both players.
"""

from dataclasses import dataclass, replace
from math import prod

import torch
import torch.nn.functional as F
from torch import nn

from gancourse.fields import Classes, Pictures
from gancourse.files.schema import (
    Amount,
    Channels,
    Count,
    Few,
    Finite,
    PerLayer,
    Share,
    Side,
    Width,
)
from gancourse.gans.blocks import device_of, draw_rows, init_normal, sampling
from gancourse.training.ema import EMA
from gancourse.training.gan import GAN

TAKES = {"real": Pictures, "labels": Classes}
SAMPLES = {"real": ("z", "labels")}
PLAYERS = {"D": ("netD",), "G": ("netG",)}
PUBLISHED = ("netG",)
STAGES = {"train_step": "steps"}


@dataclass(frozen=True, kw_only=True)
class Config:
    """The hyperparameters; the defaults are the paper's, for CIFAR-10 at 32x32.

    The numbers stand in appendix A. The authors tried 27 settings of both step sizes and the
    activation noise (section 4.4) and do not say which was best: ours are the middle ones. The
    table's linear layer has 384 outputs; ours has 384 maps of 4x4, which three layers double to
    32x32.

    The model for ImageNet at 128x128 (table 1) has ``image_size=128, g_channels=(768, 384, 256,
    192)``.
    """

    image_size: Side = 32  # pixels; 2 ** len(g_channels) and the product of d_strides divide it
    image_channels: Channels = 3  # 3 for colour, 1 for grey
    num_classes: Width = 10  # labels are 0 to num_classes - 1; each model of the paper has ten
    latent_dim: Width = 100  # numbers in z, from N(0, 1); with the one-hot class, the paper's 110
    g_channels: PerLayer = (384, 192, 96)  # maps into each transposed convolution (appendix A)
    g_kernel: Few = 5  # pixels; 5 as in the appendix; 4 is a multiple of the stride
    d_channels: PerLayer = (16, 32, 64, 128, 256, 512)  # maps out of each convolution (appendix A)
    d_strides: PerLayer = (2, 1, 2, 1, 2, 1)  # pixels, for each convolution of D (appendix A)
    d_kernel: Few = 3  # pixels (appendix A)
    d_slope: Finite = 0.2  # slope of D's LeakyReLU below zero (appendix A)
    dropout: Share = 0.5  # share of D's activations that is dropped (appendix A)
    activation_noise: Amount = 0.1  # std of noise on D's activations; 0, 0.1, 0.2 were tried
    lambda_class: Amount = 1.0  # weight of the class loss L_C; 1 in the paper (section 3)
    init_std: Amount = 0.02  # weights start from N(0, init_std) (appendix A)
    lr_g: Amount = 2e-4  # Adam's step size for G; 1e-4, 2e-4, 3e-4 were tried
    lr_d: Amount = 2e-4  # the same for D
    betas: tuple[Share, Share] = (0.5, 0.999)  # Adam's decay rates (appendix A)
    ema_decay: Share = 0.0  # decay of the average of G's weights, which sample() uses; 0: none
    batch_size: Count = 100  # pictures (appendix A)
    steps: Count = 50_000  # updates of each player (appendix A)


# Smaller, for grey pictures of 32x32. There is no dropout and no noise on the activations: dropout
# takes a third of a step's time on a CPU. Larger step sizes reach the same quality in half the
# steps, and the average of G's weights takes their unrest out of the samples.
_LAPTOP = Config(
    image_channels=1,
    latent_dim=64,
    g_channels=(128, 64, 32),
    g_kernel=4,
    d_channels=(32, 64, 64, 128, 128),
    d_strides=(2, 2, 1, 2, 1),
    dropout=0.0,
    activation_noise=0.0,
    lr_g=1e-3,
    lr_d=4e-4,
    ema_decay=0.99,
    batch_size=64,
    steps=1_600,
)

PRESETS = {
    "smoke": replace(_LAPTOP, g_channels=(16, 8, 8), d_channels=(8,) * 5, steps=10),
    "laptop": _LAPTOP,
    # The published numbers. A convolution before batch normalisation has no bias, which that would
    # cancel.
    "paper": Config(),
}


class Generator(nn.Module):
    """Noise and a class in, a picture out: a linear layer, then layers that double the side.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        widths = (*cfg.g_channels, cfg.image_channels)
        depth = len(cfg.g_channels)
        self.num_classes = cfg.num_classes
        self.start = (widths[0], cfg.image_size >> depth, cfg.image_size >> depth)
        self.project = nn.Linear(cfg.latent_dim + cfg.num_classes, prod(self.start))
        self.up, self.norms = nn.ModuleList(), nn.ModuleList()
        k = cfg.g_kernel
        shape = (k, 2, (k - 1) // 2, k % 2)  # kernel, stride, paddings: the side doubles
        for i in range(depth):
            last = i == depth - 1
            self.up.append(nn.ConvTranspose2d(widths[i], widths[i + 1], *shape, bias=last))
            self.norms.append(nn.Identity() if last else nn.BatchNorm2d(widths[i + 1]))

    def forward(self, z, labels):
        """Turn z, (N, latent_dim), and labels, (N,), into pictures of these classes.

        Returns
        -------
        Tensor, (N, image_channels, image_size, image_size)
            In [-1, 1].
        """
        c = F.one_hot(labels, self.num_classes).to(z.dtype)  # (N, num_classes)
        x = F.relu(self.project(torch.cat([z, c], 1))).unflatten(1, self.start)
        for up, norm in zip(self.up[:-1], self.norms, strict=False):
            x = F.relu(norm(up(x)))  # fewer channels, twice the side
        return torch.tanh(self.up[-1](x))  # (N, image_channels, image_size, image_size)


class Discriminator(nn.Module):
    """A picture in, two outputs: a logit for real or fake, and a logit for each class.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        widths = (cfg.image_channels, *cfg.d_channels)
        self.slope, self.dropout, self.noise = cfg.d_slope, cfg.dropout, cfg.activation_noise
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        for i, stride in enumerate(cfg.d_strides):
            shape = (cfg.d_kernel, stride, cfg.d_kernel // 2)
            self.convs.append(nn.Conv2d(widths[i], widths[i + 1], *shape, bias=i == 0))
            self.norms.append(nn.BatchNorm2d(widths[i + 1]) if i else nn.Identity())
        size = widths[-1] * (cfg.image_size // prod(cfg.d_strides)) ** 2
        self.real_head = nn.Linear(size, 1)
        self.class_head = nn.Linear(size, cfg.num_classes)

    def features(self, x):
        """Return the input of both heads, (N, size), for pictures x, (N, channels, H, W)."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.leaky_relu(norm(conv(x)), self.slope)  # (N, d_channels[i], side / d_strides[i])
            if self.training and self.noise:
                x = x + self.noise * torch.randn_like(x)
            x = F.dropout(x, self.dropout, self.training)
        return x.flatten(1)

    def forward(self, x):
        """Judge pictures, (N, image_channels, image_size, image_size).

        Returns
        -------
        real_logits : Tensor, (N,)
        class_logits : Tensor, (N, num_classes)
        """
        x = self.features(x)
        return self.real_head(x).squeeze(1), self.class_head(x)


def d_loss(real_logits, fake_logits):
    """Return the adversarial part of D's loss: minus L_S, equation 2.

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
    """Return the adversarial part of G's loss: -log D(G(z, c)), in nats.

    It is the non-saturating form of L_S, as in lessons 1 and 2.

    Parameters
    ----------
    fake_logits : Tensor, (N,)

    Returns
    -------
    Tensor, ()
    """
    return F.softplus(-fake_logits).mean()


def class_loss(class_logits, labels):
    """Return the mean cross-entropy of the class: one of the two terms of -L_C, equation 3.

    Parameters
    ----------
    class_logits : Tensor, (N, num_classes)
        Logits from the linear layer; the cross-entropy applies the softmax itself.
    labels : Tensor, (N,)
        The class of a real picture, or the class that G was given for a fake.

    Returns
    -------
    Tensor, ()
        Log num_classes = 2.303 nats when D gives ten classes the same probability.
    """
    return F.cross_entropy(class_logits, labels)


def draw_z(cfg, n, generator=None, device="cpu"):
    """Draw ``n`` latent vectors, (n, latent_dim), from N(0, 1)."""
    return torch.randn(n, cfg.latent_dim, generator=generator, device=device)


def inputs(cfg):
    """Return the fields that a batch has for this configuration, by name."""
    shape = (cfg.image_channels, cfg.image_size, cfg.image_size)
    return {"real": Pictures(shape=shape), "labels": Classes(count=cfg.num_classes)}


def configure(preset, fields):
    """Return a preset's configuration, fitted to the fields of a data set."""
    real, labels = fields["real"], fields["labels"]
    return replace(PRESETS[preset], image_channels=real.channels, num_classes=labels.count)


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
        With ``netG``, ``netD``, ``opt_g``, ``opt_d``, and ``ema`` if ``ema_decay`` is above 0.
    """
    netG, netD = networks(cfg).values()
    for net in (netG, netD):
        init_normal(net, cfg.init_std)
    gan = GAN(cfg, PUBLISHED, netG=run.place(netG), netD=run.place(netD))
    gan.opt_g = torch.optim.Adam(netG.parameters(), lr=cfg.lr_g, betas=cfg.betas, fused=True)
    gan.opt_d = torch.optim.Adam(netD.parameters(), lr=cfg.lr_d, betas=cfg.betas, fused=True)
    if cfg.ema_decay:
        gan.ema = EMA(netG, cfg.ema_decay, gan.opt_g)
    return gan


def train_step(gan, batch, run):
    """Update D once, then G once.

    D maximises L_S + L_C, and G maximises L_C - L_S (section 3), with L_S in the form of
    :func:`g_loss`.

    Parameters
    ----------
    gan : GAN
    batch : dict
        ``real``: (N, image_channels, image_size, image_size) in [-1, 1]; ``labels``: (N,).
    run : Run

    Returns
    -------
    dict of str to Tensor, ()
        The losses in nats; D's mean probability of "real", and the share of pictures that D
        classifies correctly, each for real and for fake pictures.
    """
    cfg, real, labels = gan.cfg, batch["real"], batch["labels"]
    c = torch.randint(cfg.num_classes, labels.shape, device=run.device)  # for G, all equally likely
    with run.autocast():
        fake = gan.netG(draw_z(cfg, len(real), device=run.device), c)

        real_logits, real_classes = gan.netD(real)
        fake_logits, fake_classes = gan.netD(fake.detach())
        adv_d = d_loss(real_logits, fake_logits)
        class_d = class_loss(real_classes, labels) + class_loss(fake_classes, c)
        loss_d = adv_d + cfg.lambda_class * class_d
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    with run.autocast():
        logits, classes = gan.netD(fake)
        adv_g, class_g = g_loss(logits), class_loss(classes, c)
        loss_g = adv_g + cfg.lambda_class * class_g
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)

    return {
        "D/adv": adv_d.detach(),
        "D/class": class_d.detach(),
        "G/adv": adv_g.detach(),
        "G/class": class_g.detach(),
        "D/prob_real": real_logits.detach().sigmoid().mean(),
        "D/prob_fake": fake_logits.detach().sigmoid().mean(),
        "D/accuracy_real": (real_classes.argmax(1) == labels).float().mean(),
        "D/accuracy_fake": (fake_classes.argmax(1) == c).float().mean(),
    }


@torch.no_grad()
def sample(gan, n, *, seed=0, z=None, labels=None):
    """Draw ``n`` pictures, from the averaged generator if there is one.

    Parameters
    ----------
    gan : GAN
    n : int
    seed : int
        Seed of the noise: the first samples are the same for every ``n``. The random state of the
        training stays as it is.
    z : Tensor, (n, latent_dim), optional
        The noise itself; ``n`` and ``seed`` are then not used.
    labels : Tensor, (n,), optional
        The classes. If left out, all in turn: 0, 1, 2, ..., and again from 0.

    Returns
    -------
    Tensor, (n, image_channels, image_size, image_size)
        In [-1, 1].
    """
    with sampling(gan) as netG:
        device = device_of(netG)
        if z is None:
            z = draw_rows(draw_z, gan.cfg, n, seed)
        if labels is None:
            labels = torch.arange(len(z)) % gan.cfg.num_classes
        return netG(z.to(device), labels.to(device))
