"""SRGAN: a small picture in, one of four times the side out, with the detail that it had lost.

Ledig et al. 2017, arXiv:1609.04802. What differs from Pix2Pix: the output is larger than the input;
G is a residual network that enlarges at its end, by PixelShuffle; it is trained with the squared
error alone first; then the error is that of a frozen network's features, beside an adversarial
loss of a thousandth of its weight; D sees the large picture alone.
"""

import copy
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from gancourse.errors import CourseError
from gancourse.fields import Pictures
from gancourse.files.schema import Amount, Channels, Count, Few, PerLayer, Share, Side, Width
from gancourse.gans.blocks import device_of, sampling
from gancourse.training.ema import EMA
from gancourse.training.gan import GAN
from gancourse.training.schedules import following

TAKES = {"input": Pictures, "target": Pictures}
SAMPLES = {"target": ("input",)}
PLAYERS = {"D": ("netD",), "G": ("netG",)}
PUBLISHED = ("netG", "netG_mse")  # after both stages, and after the first alone: SRResNet
STAGES = {"pretrain_step": "pretrain_steps", "train_step": "steps"}
FROZEN = {"features": "judge:emoji"}  # unless the Config says another one

SCALE = 4  # how many times the side; two PixelShuffles double it (section 2.1)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The hyperparameters; the defaults are the paper's (section 3.2, figure 4).

    The authors published no code. What the paper leaves open is PyTorch's default.
    """

    image_size: Side = 96  # pixels of the large pictures, a multiple of 16; the paper's are crops
    channels: Channels = 3  # of both pictures
    g_blocks: Few = 16  # residual blocks of G
    g_width: Width = 64  # channels of G's layers
    g_kernel: Few = 9  # pixels; of G's first and last layer, odd
    icnr: bool = False  # whether G's PixelShuffles start as a repetition of pixels (1707.02937)
    d_channels: PerLayer = (64, 64, 128, 128, 256, 256, 512, 512)  # of D's convolutions
    d_hidden: Width = 1024  # of D's dense layer
    content: Literal["mse", "features"] = "features"  # the second stage's l_X (equations 4, 5)
    features: Literal["judge:emoji", "vgg19"] = "vgg19"  # the network phi, which is not trained
    feature_level: Few = 4  # which of its feature maps, counted from 0; 4 of VGG19 is phi_5,4
    feature_scale: Amount = 1 / 12.75  # of the features (section 3.2)
    lambda_adv: Amount = 1e-3  # weight of the adversarial loss; 0 trains without D (equation 3)
    lr_pretrain: Amount = 1e-4  # Adam's step size for G in the first stage
    lr_g: Amount = 1e-4  # the same in the second
    lr_d: Amount = 1e-4  # the same for D
    lr_drop: Share = 0.1  # the share of both that is left in the second half of the second stage
    betas: tuple[Share, Share] = (0.9, 0.999)  # Adam's decay rates
    ema_decay: Share = 0.0  # decay of the average of G's weights, which sample() uses; 0: none
    batch_size: Count = 16  # pairs
    pretrain_steps: Count = 1_000_000  # updates of G with the squared error alone
    steps: Count = 200_000  # updates of each player after that


_LAPTOP = Config(
    image_size=64,
    g_blocks=4,
    g_width=24,
    g_kernel=5,
    icnr=True,
    d_channels=(16, 16, 32, 32, 64, 64, 128, 128),
    d_hidden=128,
    features="judge:emoji",  # it tells artists' styles apart, ships, and grades nothing here
    feature_level=1,
    feature_scale=1.0,
    lr_pretrain=2e-3,
    lr_g=5e-4,
    lr_d=2e-4,
    ema_decay=0.98,
    batch_size=8,
    pretrain_steps=300,
    steps=200,
)

PRESETS = {
    "smoke": replace(
        _LAPTOP,
        image_size=32,
        g_blocks=1,
        g_width=8,
        d_channels=(8, 8, 16, 16),
        d_hidden=16,
        batch_size=4,
        pretrain_steps=5,
        steps=5,
    ),
    "laptop": _LAPTOP,
    # The published numbers. Section 2 filters the large picture with a Gaussian, section 3.2 takes
    # a bicubic kernel; with the data set small2large, a small pixel is the mean of 4x4. The paper
    # cuts 96x96 pixels out of ImageNet's pictures; here whole pictures are of that size.
    "paper": Config(),
}


class ResidualBlock(nn.Module):
    """Two convolutions with batch norm, whose result is added to the input (figure 4)."""

    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.PReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
        )

    def forward(self, h):
        """Return maps of the shape of ``h``, (N, width, H, W)."""
        return h + self.layers(h)


class Generator(nn.Module):
    """A small picture in, one of four times the side out; SRResNet if trained without D.

    All layers but the last few work on the small picture's grid. A convolution with four times the
    channels and ``PixelShuffle`` then double the side, twice: of each four channels, each gives
    every second pixel of every second line.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        if cfg.image_size % 16 or not cfg.g_kernel % 2:
            raise CourseError(
                "image_size must be a multiple of 16 and g_kernel odd, not "
                f"{cfg.image_size} and {cfg.g_kernel}."
            )
        width, ends = cfg.g_width, {"kernel_size": cfg.g_kernel, "padding": cfg.g_kernel // 2}
        self.first = nn.Sequential(nn.Conv2d(cfg.channels, width, **ends), nn.PReLU())
        self.blocks = nn.Sequential(
            *(ResidualBlock(width) for _ in range(cfg.g_blocks)),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
        )
        self.enlarge = nn.Sequential()
        for _ in range(2):
            self.enlarge.append(nn.Conv2d(width, 4 * width, 3, padding=1))
            self.enlarge.append(nn.PixelShuffle(2))
            self.enlarge.append(nn.PReLU())
        self.last = nn.Conv2d(width, cfg.channels, **ends)

    def forward(self, x):
        """Enlarge x, (N, channels, h, w) in [-1, 1], to (N, channels, 4 h, 4 w).

        No function bounds the output, which is meant for [-1, 1]. The paper scales the small
        picture to [0, 1] and the large one to [-1, 1].
        """
        h = self.first((x + 1) / 2)  # (N, g_width, h, w)
        h = h + self.blocks(h)
        return self.last(self.enlarge(h))  # (N, channels, 4 h, 4 w)


class Discriminator(nn.Module):
    """Large pictures to logits: each second convolution halves the side (figure 4).

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        widths, layers, side = [cfg.channels, *cfg.d_channels], [], cfg.image_size
        for i, (before, after) in enumerate(pairwise(widths)):
            stride = 1 + i % 2
            side = -(-side // stride)
            layers.append(nn.Conv2d(before, after, 3, stride, 1))
            if i:
                layers.append(nn.BatchNorm2d(after))
            layers.append(nn.LeakyReLU(0.2))
        self.convs = nn.Sequential(*layers)
        self.dense = nn.Linear(widths[-1] * side**2, cfg.d_hidden)
        self.out = nn.Linear(cfg.d_hidden, 1)

    def forward(self, y):
        """Return logits, (N,), for y, (N, channels, H, W)."""
        h = self.convs(y).flatten(1)  # (N, d_channels[-1] * (H / 16) * (W / 16))
        return self.out(F.leaky_relu(self.dense(h), 0.2)).squeeze(1)


def start_as_repetition(netG):
    """Let each PixelShuffle start as a repetition of pixels: the initialisation ICNR.

    Aitken et al. 2017, arXiv:1707.02937, section 4. The four channels that become the pixels of a
    2x2 square start with the weights of the first. With independent weights they start at four
    levels, which is a checkerboard.
    """
    for layer in netG.enlarge:
        if isinstance(layer, nn.Conv2d):
            for values in (layer.weight.data, layer.bias.data):
                values.copy_(values[::4].repeat_interleave(4, 0))


def content_loss(fake, real, phi, cfg):
    """Return the second stage's error of G's output, l_X: equation 4, or 5 with ``features``.

    Parameters
    ----------
    fake, real : Tensor, (N, channels, H, W)
        G's output and the large picture, in [-1, 1].
    phi : torch.nn.Module
        Frozen; ``encode`` returns its feature maps, from the finest to the coarsest.
    cfg : Config

    Returns
    -------
    Tensor, ()
        The mean squared error, of pixel values or of scaled features.
    """
    if cfg.content == "mse":
        return F.mse_loss(fake, real)
    seen, wanted = (
        phi.encode(images.expand(-1, 3, -1, -1))[cfg.feature_level] for images in (fake, real)
    )
    return cfg.feature_scale**2 * F.mse_loss(seen, wanted.detach())


def d_loss(real_logits, fake_logits):
    """Return what D minimises, in nats: minus equation 2.

    Parameters
    ----------
    real_logits, fake_logits : Tensor, (N,)

    Returns
    -------
    Tensor, ()
        2 log 2 = 1.386 when D cannot tell the pictures apart.
    """
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def g_loss(fake_logits):
    """Return the adversarial loss of G, in nats: -log D(G(x)) (equation 6).

    The paper writes a sum over the pictures; like the other means of the loss it is a mean here.
    """
    return F.softplus(-fake_logits).mean()


def interpolate(start, end, alpha):
    """Return a generator whose weights lie on the line between those of two others.

    Wang et al. 2018, arXiv:1809.00219 (ESRGAN), section 3.4. It is of use between a network and one
    that was trained on from there, such as ``netG_mse`` and ``netG``.

    Parameters
    ----------
    start, end : torch.nn.Module
        Of one architecture.
    alpha : float
        0 for ``start``, 1 for ``end``.

    Returns
    -------
    torch.nn.Module
        A new network, in evaluation mode, without gradients.
    """
    net = copy.deepcopy(start).eval().requires_grad_(False)
    first, last = start.state_dict(), end.state_dict()
    mixed = {
        name: torch.lerp(value, last[name], alpha) if value.is_floating_point() else value
        for name, value in first.items()
    }
    net.load_state_dict(mixed)
    return net


def inputs(cfg):
    """Return the fields that a batch has for this configuration, by name."""
    small = cfg.image_size // SCALE
    return {
        "input": Pictures(shape=(cfg.channels, small, small)),
        "target": Pictures(shape=(cfg.channels, cfg.image_size, cfg.image_size)),
    }


def configure(preset, fields):
    """Return a preset's configuration, fitted to the fields of a data set."""
    return replace(PRESETS[preset], channels=fields["target"].channels)


def networks(cfg):
    """Return the untrained networks by name."""
    return {"netG": Generator(cfg), "netG_mse": Generator(cfg), "netD": Discriminator(cfg)}


def build(cfg, run, frozen=None):
    """Return the two players with their optimizers, and the network that the features are of.

    Parameters
    ----------
    cfg : Config
    run : Run
    frozen : dict of str to torch.nn.Module
        ``features``: phi, as in :func:`content_loss`; not needed where ``content`` is "mse".

    Returns
    -------
    GAN
        With ``netG``, ``netG_mse``, ``netD``, ``opt_g``, ``opt_d``, ``schedule_g``,
        ``schedule_d``, and ``ema`` if ``ema_decay`` is above 0.
    """
    netG, netG_mse, netD = networks(cfg).values()
    if cfg.icnr:
        start_as_repetition(netG)
    netG_mse.load_state_dict(netG.state_dict())
    netG_mse.eval().requires_grad_(False)
    gan = GAN(cfg, PUBLISHED, frozen, netG=run.place(netG), netD=run.place(netD))
    gan.netG_mse = run.place(netG_mse)
    gan.opt_g = torch.optim.Adam(netG.parameters(), lr=cfg.lr_g, betas=cfg.betas, fused=True)
    gan.opt_d = torch.optim.Adam(netD.parameters(), lr=cfg.lr_d, betas=cfg.betas, fused=True)
    before, half = cfg.pretrain_steps, cfg.steps // 2

    def later(step):  # of the second stage
        return 1.0 if step < half else cfg.lr_drop

    def share(step):  # of G's updates, which include those of the first stage
        return cfg.lr_pretrain / cfg.lr_g if step < before else later(step - before)

    gan.schedule_g = following(LambdaLR(gan.opt_g, share))
    gan.schedule_d = following(LambdaLR(gan.opt_d, later))
    if cfg.ema_decay:
        gan.ema = EMA(netG, cfg.ema_decay, gan.opt_g)
    return gan


def pretrain_step(gan, batch, run):
    """Update G with the squared error alone: the first stage, after which it is SRResNet.

    Parameters
    ----------
    gan : GAN
    batch : dict
        ``input``: x, (N, channels, h, w); ``target``: y, (N, channels, 4 h, 4 w), row by row; both
        in [-1, 1].
    run : Run

    Returns
    -------
    dict of str to Tensor, ()
        The mean squared error, of pixel values in [-1, 1].
    """
    x, y = batch["input"], batch["target"]
    with run.autocast():
        fake = gan.netG(x)
    mse = F.mse_loss(fake.float(), y)
    gan.opt_g.zero_grad()
    mse.backward()
    gan.opt_g.step()
    gan.netG_mse.load_state_dict(gan.generators()["netG"].state_dict())  # it ends as the last one
    return {"G/mse": mse.detach()}


def train_step(gan, batch, run):
    """Update D once, then G once: the second stage.

    Parameters
    ----------
    gan, batch, run
        See :func:`pretrain_step`.

    Returns
    -------
    dict of str to Tensor, ()
        The adversarial losses in nats; D's mean probability of "real" for real and for enlarged
        pictures; l_X; the mean squared error of pixel values. Without ``lambda_adv`` the last two.
    """
    x, y, cfg, log = batch["input"], batch["target"], gan.cfg, {}
    if gan.step == cfg.pretrain_steps:
        gan.opt_g.state.clear()  # Adam's averages are of the first stage's small gradients
    with run.autocast():
        fake = gan.netG(x)

    if cfg.lambda_adv:
        with run.autocast():
            real_logits = gan.netD(y)
            fake_logits = gan.netD(fake.detach())
            loss_d = d_loss(real_logits, fake_logits)
        gan.opt_d.zero_grad()
        loss_d.backward()
        gan.opt_d.step()
        log["D/adv"] = loss_d.detach()
        log["D/prob_real"] = real_logits.detach().sigmoid().mean()
        log["D/prob_fake"] = fake_logits.detach().sigmoid().mean()

    gan.netD.requires_grad_(False)
    content = content_loss(fake.float(), y, gan.frozen.get("features"), cfg)
    loss_g = content
    if cfg.lambda_adv:
        with run.autocast():
            adv = g_loss(gan.netD(fake))
        loss_g = content + cfg.lambda_adv * adv  # equation 3
        log["G/adv"] = adv.detach()
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)

    mse = F.mse_loss(fake.detach().float(), y)
    return log | {"G/content": content.detach(), "G/mse": mse}


@torch.no_grad()
def sample(gan, n=None, *, input, seed=0):
    """Enlarge pictures, with the averaged generator if there is one.

    Parameters
    ----------
    gan : GAN
    n : int, optional
        Not used: there is one output for each row of ``input``.
    input : Tensor, (N, channels, h, w)
        In [-1, 1].
    seed : int
        Not used: nothing is random.

    Returns
    -------
    Tensor, (N, channels, 4 h, 4 w)
        In [-1, 1].
    """
    with sampling(gan) as netG:
        return netG(input.to(device_of(netG))).clamp(-1, 1)
