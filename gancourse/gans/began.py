"""Boundary equilibrium GAN: D is an autoencoder, and a controller keeps the players in balance.

Berthelot, Schumm, Metz 2017, arXiv:1703.10717. What differs from the DCGAN: D returns a picture in
place of a logit, and its loss is how far that picture is from the one it was given; a number k,
which is controlled and not learned, says how much D's loss on fakes counts; and the networks have
neither batch norm nor transposed convolutions.
"""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from gancourse.fields import Pictures
from gancourse.files.schema import Amount, Channels, Count, Share, Side, Width
from gancourse.gans.blocks import device_of, draw_rows, sampling
from gancourse.training import parallel
from gancourse.training.ema import EMA
from gancourse.training.gan import GAN
from gancourse.training.schedules import following

TAKES = {"real": Pictures}
SAMPLES = {"real": ("z",)}
PLAYERS = {"D": ("netD",), "G": ("netG",)}
PUBLISHED = ("netG",)
STAGES = {"train_step": "steps"}


@dataclass(frozen=True, kw_only=True)
class Config:
    """The hyperparameters; the defaults are the paper's, for 64x64 faces.

    The authors published no code. What the paper leaves open is as in
    github.com/carpedm20/BEGAN-tensorflow.
    """

    image_size: Side = 64  # pixels; 8 times a power of two
    image_channels: Channels = 3  # 3 for colour, 1 for grey
    latent_dim: Width = 64  # numbers in z, each uniform in [-1, 1], and in the code inside D
    ngf: Width = 128  # channels of each layer of G
    ndf: Width = 128  # channels of D's decoder, and of its encoder's first level
    skips: bool = False  # levels of decoders get the first tensor, too: optional in the paper
    gamma: Share = 0.5  # the loss of fakes over that of real pictures, which k is to bring about
    lambda_k: Amount = 1e-3  # how far k moves in a step, for each unit of its error
    k_start: Share = 0.0  # k before the first step
    lr_g: Amount = 1e-4  # Adam's step size for G
    lr_d: Amount = 1e-4  # the same for D
    betas: tuple[Share, Share] = (0.9, 0.999)  # Adam's decay rates; the usual ones
    halved_every: Count = 100_000  # updates after which the step sizes are halved
    ema_decay: Share = 0.0  # decay of the average of G's weights, which sample() uses; 0: none
    batch_size: Count = 16  # images
    steps: Count = 500_000  # updates of each player


# Narrow networks: with four times the channels, samples are less diverse after as many steps. The
# step sizes are twenty times the paper's and lambda_k a hundred times, since the steps are a
# thousandth. With gamma 0.5 all samples are one picture.
_LAPTOP = Config(
    image_size=32,
    ngf=4,
    ndf=4,
    skips=True,
    gamma=0.9,
    lambda_k=0.1,
    lr_g=2e-3,
    lr_d=2e-3,
    betas=(0.5, 0.99),  # after 600 steps five times the diversity that (0.9, 0.999) leaves
    ema_decay=0.99,
    steps=500,
)

PRESETS = {
    "smoke": replace(_LAPTOP, latent_dim=16, steps=10),
    "laptop": _LAPTOP,
    # The published numbers. Three things are as in the re-implementation: the optional skips are
    # left out, D and G see the same fakes, and the step sizes are halved by counting.
    "paper": Config(),
}


class Decoder(nn.Module):
    """A code in, an image out: convolutions, and a level of them for each side from 8 pixels on.

    G is one, and so is the second half of D. With ``skips`` each later level also gets the first
    tensor, enlarged to its side.

    Parameters
    ----------
    cfg : Config
    width : int
        Channels of each layer.
    """

    def __init__(self, cfg, width):
        super().__init__()
        self.project = nn.Linear(cfg.latent_dim, width * 8 * 8)
        self.skips = cfg.skips
        self.levels = nn.ModuleList()
        for i in range(levels(cfg)):
            before = 2 * width if cfg.skips and i else width
            self.levels.append(
                nn.ModuleList(nn.Conv2d(w, width, 3, padding=1) for w in (before, width))
            )
        self.out = nn.Conv2d(width, cfg.image_channels, 3, padding=1)

    def forward(self, h):
        """Turn codes, (N, latent_dim), into images, (N, image_channels, side, side)."""
        x = h0 = self.project(h).unflatten(1, (-1, 8, 8))  # (N, width, 8, 8)
        for i, level in enumerate(self.levels):
            if i:
                x = F.interpolate(x, scale_factor=2.0)  # twice the side; each pixel four times
                if self.skips:
                    x = torch.cat([x, F.interpolate(h0, size=x.shape[2:])], 1)
            for conv in level:
                x = F.elu(conv(x))  # (N, width, 8 * 2**i, 8 * 2**i)
        return self.out(x)  # without tanh: L1 pulls the values into the range


class Encoder(nn.Module):
    """An image in, a code out: each level has ``ndf`` channels more than the one before.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        widths = [cfg.ndf * i for i in range(1, levels(cfg) + 1)]
        self.first = nn.Conv2d(cfg.image_channels, cfg.ndf, 3, padding=1)
        self.levels = nn.ModuleList(
            nn.ModuleList(
                [nn.Conv2d(before, after, 3, padding=1), nn.Conv2d(after, after, 3, padding=1)]
            )
            for before, after in pairwise([cfg.ndf, *widths])
        )
        self.down = nn.ModuleList(nn.Conv2d(w, w, 3, stride=2, padding=1) for w in widths[:-1])
        self.code = nn.Linear(widths[-1] * 8 * 8, cfg.latent_dim)

    def forward(self, x):
        """Turn images, (N, image_channels, side, side), into codes, (N, latent_dim)."""
        x = F.elu(self.first(x))
        for i, level in enumerate(self.levels):
            if i:
                x = self.down[i - 1](x)  # half the side
            for conv in level:
                x = F.elu(conv(x))  # (N, ndf * (i + 1), image_size / 2**i, image_size / 2**i)
        return self.code(x.flatten(1))


class Discriminator(nn.Module):
    """An image in, an image out: an autoencoder, whose code has ``latent_dim`` numbers.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        self.encoder = Encoder(cfg)
        self.decoder = Decoder(cfg, cfg.ndf)

    def forward(self, x):
        """Return what is left of images after the code; their shape stays."""
        return self.decoder(self.encoder(x))


def levels(cfg):
    """Return how many sides there are from 8 pixels to ``image_size``, each twice the last."""
    return int(math.log2(cfg.image_size // 8)) + 1


class Controller(nn.Module):
    """k, the weight of the fakes in D's loss; it is moved by a rule and not learned.

    k is a buffer: it is saved in checkpoints, lies on the device, and no optimizer knows it.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        self.gamma, self.lambda_k = cfg.gamma, cfg.lambda_k
        self.register_buffer("k", torch.tensor(cfg.k_start))

    @torch.no_grad()
    def update(self, loss_real, loss_fake):
        """Move k after a step: up where fakes are decoded better than gamma allows, else down.

        Parameters
        ----------
        loss_real, loss_fake : Tensor, ()
            The mean errors of decoding, L(x) and L(G(z)).

        Returns
        -------
        Tensor, ()
            The paper's measure M of convergence, L(x) + abs(gamma L(x) - L(G(z))).
        """
        error = self.gamma * loss_real - loss_fake
        self.k.add_(self.lambda_k * error).clamp_(0, 1)
        return loss_real + error.abs()


def decoding_loss(images, decoded):
    """Return L(v) = |v - D(v)|, the mean over pixels, channels and images.

    Parameters
    ----------
    images, decoded : Tensor, (N, C, H, W)

    Returns
    -------
    Tensor, ()
    """
    return (images.float() - decoded.float()).abs().mean()


def d_loss(loss_real, loss_fake, k):
    """Return what D minimises, L(x) - k L(G(z)): to decode real images well, and fakes badly.

    Parameters
    ----------
    loss_real, loss_fake, k : Tensor, ()

    Returns
    -------
    Tensor, ()
    """
    return loss_real - k * loss_fake


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
    return {"netG": Decoder(cfg, cfg.ngf), "netD": Discriminator(cfg)}


def build(cfg, run):
    """Return the two players with their optimizers and schedules, and the controller.

    Parameters
    ----------
    cfg : Config
    run : Run

    Returns
    -------
    GAN
        With ``netG``, ``netD``, ``opt_g``, ``opt_d``, ``controller``, ``schedule_g``,
        ``schedule_d``, and ``ema`` if ``ema_decay`` is above 0.
    """
    netG, netD = networks(cfg).values()
    for net in (netG, netD):
        for layer in net.modules():  # as TensorFlow's slim layers start
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
    gan = GAN(cfg, PUBLISHED, netG=run.place(netG), netD=run.place(netD))
    gan.controller = Controller(cfg).to(run.device)
    gan.opt_g = torch.optim.Adam(netG.parameters(), lr=cfg.lr_g, betas=cfg.betas, fused=True)
    gan.opt_d = torch.optim.Adam(netD.parameters(), lr=cfg.lr_d, betas=cfg.betas, fused=True)
    gan.schedule_g = following(Halving(gan.opt_g, cfg.halved_every))
    gan.schedule_d = following(Halving(gan.opt_d, cfg.halved_every))
    if cfg.ema_decay:
        gan.ema = EMA(netG, cfg.ema_decay, gan.opt_g)
    return gan


class Halving(LambdaLR):
    """Halve the step sizes after every so many updates; a run may be of any length.

    The paper halves them when M does not fall any more, and leaves open how that is decided; the
    re-implementation counts updates.
    """

    endless = True

    def __init__(self, optimizer, every):
        super().__init__(optimizer, lambda update: 0.5 ** (update // every))


def train_step(gan, batch, run):
    """Update D once, then G once, then k.

    D and G see the same fakes, as in the re-implementation; the paper writes two draws of z.

    Parameters
    ----------
    gan : GAN
    batch : dict
        ``real``: (N, image_channels, image_size, image_size) in [-1, 1].
    run : Run

    Returns
    -------
    dict of str to Tensor, ()
        Both losses; the mean error of decoding real images; k; and the measure M. G's loss is the
        mean error of decoding fakes.
    """
    real, k = batch["real"], gan.controller.k
    with run.autocast():
        fake = gan.netG(draw_z(gan.cfg, len(real), device=run.device))

        loss_real = decoding_loss(real, gan.netD(real))
        loss_fake = decoding_loss(fake.detach(), gan.netD(fake.detach()))
        loss_d = d_loss(loss_real, loss_fake, k)
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    with run.autocast():
        loss_g = decoding_loss(fake, gan.netD(fake))
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)

    means = torch.stack([loss_real.detach(), loss_g.detach()])
    measure = gan.controller.update(*parallel.mean(means, run))  # one k for all processes

    return {
        "D/adv": loss_d.detach(),
        "D/real": loss_real.detach(),
        "G/adv": loss_g.detach(),
        "balance/k": k.clone(),
        "balance/M": measure,
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
        return netG(z.to(device)).clamp(-1, 1)  # G has no tanh
