"""Deep convolutional GAN: five rules by which convolutional networks train stably.

Radford, Metz, Chintala 2016, arXiv:1511.06434. What differs from the vanilla GAN: strided and
transposed convolutions in place of linear layers, batch normalisation, ReLU in G and LeakyReLU
in D, weights with a standard deviation of 0.02, and Adam with a beta_1 of 0.5. The losses are the
same.
"""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from gancourse.fields import Pictures
from gancourse.files.schema import Amount, Channels, Count, Decay, Few, Share, Side, Width
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
    """The hyperparameters; the defaults are the paper's, for 64x64 faces.

    The paper gives most numbers in section 4; the rest stand in the authors'
    ``faces/train_uncond_dcgan.py``, github.com/Newmu/dcgan_code.
    """

    image_size: Side = 64  # pixels; 4 times a power of two
    image_channels: Channels = 3  # 3 for colour, 1 for grey
    latent_dim: Width = 100  # numbers in z, each uniform in [-1, 1] (section 4)
    ngf: Width = 128  # channels of G's last hidden layer; each earlier layer has twice as many
    ndf: Width = 128  # channels of D's first layer; each later layer has twice as many
    kernel_size: Few = 5  # pixels; 5 as in the authors' code; 4 is a multiple of the stride
    init_std: Amount = 0.02  # weights start from N(0, init_std), gains from N(1, init_std)
    lr_g: Amount = 2e-4  # Adam's step size for G (section 4)
    lr_d: Amount = 2e-4  # the same for D
    lr_decay: Decay = 1.0  # divides both step sizes after each step; above 1, samples settle
    betas: tuple[Share, Share] = (0.5, 0.999)  # Adam's decay rates; 0.9 was unstable (section 4)
    weight_decay: Amount = 1e-5  # weight of the L2 penalty, as in the authors' code
    r1: Amount = 0.0  # weight of the penalty on D's gradient; above 0, D has biases, no batch norm
    r1_every: Count = 8  # updates of D between two that are penalised
    ema_decay: Share = 0.0  # decay of the average of G's weights, which sample() uses; 0: none
    batch_size: Count = 128  # images (section 4)
    steps: Count = 68_350  # updates of each player: 25 epochs of 350,000 faces


# What learns most in two minutes of one core, with the paper's layers and losses.
_LAPTOP = Config(
    ngf=32,  # a quarter of the paper's, for time
    ndf=16,  # drawn faces have flat colours, by which a D as wide as G tells them from all fakes
    kernel_size=4,  # 16 products for each pair of maps in place of 25
    lr_g=1e-3,  # judge FID 128 after 1,500 steps; with 2e-4 and kernel 5, 190 after 1,200
    lr_d=1e-3,
    weight_decay=0.0,
    ema_decay=0.995,  # samples of a single step vary with the step
    batch_size=32,
    steps=1_500,
)

PRESETS = {
    "smoke": replace(_LAPTOP, image_size=32, ngf=8, steps=10),
    "laptop": _LAPTOP,
    # The published numbers, with one difference: the authors' code updates either D or G with
    # each batch, ours both with the same batch.
    "paper": Config(),
}


class Generator(nn.Module):
    """Noise in, an image out: a projection to 4x4 pixels, then layers that double the side.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        depth = int(math.log2(cfg.image_size // 4))
        widths = [cfg.ngf * 2**i for i in reversed(range(depth))] + [cfg.image_channels]
        k, pad = cfg.kernel_size, (cfg.kernel_size - 1) // 2
        # No layer has a bias, as in the authors' code: batch norm has a shift of its own.
        self.project = nn.Linear(cfg.latent_dim, widths[0] * 4 * 4, bias=False)
        self.project_norm = nn.BatchNorm1d(widths[0] * 4 * 4)
        self.up = nn.ModuleList(  # with this output_padding the side doubles exactly
            nn.ConvTranspose2d(before, after, k, 2, pad, output_padding=k % 2, bias=False)
            for before, after in pairwise(widths)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths[1:-1])
        self.activation = nn.ReLU()

    def forward(self, z):
        """Turn z, (N, latent_dim), into images, (N, image_channels, image_size, image_size)."""
        x = self.activation(self.project_norm(self.project(z)))
        x = x.unflatten(1, (-1, 4, 4))  # (N, ngf * 2**(depth - 1), 4, 4)
        for up, norm in zip(self.up[:-1], self.norms, strict=True):
            x = self.activation(norm(up(x)))  # half the channels, twice the side
        return torch.tanh(self.up[-1](x))  # (N, image_channels, image_size, image_size)


class Discriminator(nn.Module):
    """An image in, one logit out: layers that halve the side down to 4x4, then a linear unit.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        depth = int(math.log2(cfg.image_size // 4))
        widths = [cfg.image_channels] + [cfg.ndf * 2**i for i in range(depth)]
        k, pad = cfg.kernel_size, (cfg.kernel_size - 1) // 2
        # Without a bias and without batch norm, D(c x) = c D(x): D could not tell pale images.
        bias = cfg.r1 > 0
        self.down = nn.ModuleList(
            nn.Conv2d(before, after, k, 2, pad, bias=bias) for before, after in pairwise(widths)
        )
        # Batch norm would let each image change the logits, and the gradients, of the others.
        norms = [nn.Identity() if cfg.r1 else nn.BatchNorm2d(width) for width in widths[2:]]
        self.norms = nn.ModuleList([nn.Identity(), *norms])  # none at D's input
        self.activation = nn.LeakyReLU(0.2)
        self.out = nn.Linear(widths[-1] * 4 * 4, 1, bias=bias)

    def features(self, x):
        """Return the outputs of all layers for images x: a list of (N, ndf * 2**i, side, side)."""
        outputs = []
        for down, norm in zip(self.down, self.norms, strict=True):
            x = self.activation(norm(down(x)))  # twice the channels, half the side
            outputs.append(x)
        return outputs

    def forward(self, x):
        """Judge images, (N, image_channels, image_size, image_size), by one logit each, (N,)."""
        return self.out(self.features(x)[-1].flatten(1)).squeeze(1)


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
    options = {"betas": cfg.betas, "weight_decay": cfg.weight_decay, "fused": True}
    gan.opt_g = torch.optim.Adam(netG.parameters(), lr=cfg.lr_g, **options)
    gan.opt_d = torch.optim.Adam(netD.parameters(), lr=cfg.lr_d, **options)
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
        Both losses in nats, and D's mean probability of "real" for real and for fake images.
    """
    penalised = gan.cfg.r1 > 0 and gan.step % gan.cfg.r1_every == 0
    real = batch["real"].detach().requires_grad_(penalised)
    with run.autocast():
        fake = gan.netG(draw_z(gan.cfg, len(real), device=run.device))

        real_logits = gan.netD(real)
        fake_logits = gan.netD(fake.detach())
        loss_d = d_loss(real_logits, fake_logits)
    penalty = gan.cfg.r1 * gan.cfg.r1_every * r1_penalty(real, real_logits) if penalised else 0
    gan.opt_d.zero_grad()
    (loss_d + penalty).backward()
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
