"""Pix2Pix: one picture in, another out, learned from pairs.

Isola et al. 2017, arXiv:1611.07004. What differs from the cGAN: the condition is a picture; G is a
U-Net whose input is that picture in place of noise; D judges patches of the pair (input, output);
and an L1 loss compares G's output with the target.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from gancourse.errors import CourseError, choose
from gancourse.fields import Pictures
from gancourse.files.schema import Amount, Channels, Count, Few, PerLayer, Share, Side
from gancourse.gans.blocks import device_of, init_normal, sampling
from gancourse.training.ema import EMA
from gancourse.training.gan import GAN
from gancourse.training.runtime import undisturbed

TAKES = {"input": Pictures, "target": Pictures}
SAMPLES = {"target": ("input",)}
PLAYERS = {"D": ("netD",), "G": ("netG",)}
PUBLISHED = ("netG",)
STAGES = {"train_step": "steps"}

# Instance norm takes mean and variance from each picture, batch norm from the batch, both in
# sampling too (section 3.3). With the paper's batches of one picture they are the same.
NORMS = {
    "instance": lambda n: nn.InstanceNorm2d(n, affine=True),
    "batch": lambda n: nn.BatchNorm2d(n, track_running_stats=False),
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """The hyperparameters; the defaults are the paper's, for facades (section 6).

    What the paper leaves open is as in ``train.lua`` of github.com/phillipi/pix2pix.
    """

    image_size: Side = 256  # pixels; a multiple of 2 for each of `g_channels`
    channels_A: Channels = 3  # of the input x: 3 for colour, 1 for a sketch
    channels_B: Channels = 3  # of the output y
    g_channels: PerLayer = (64, 128, 256, 512, 512, 512, 512, 512)  # of G's encoder's layers
    skips: bool = True  # True: the U-Net; False: the encoder-decoder (6.1.1)
    dropout: Share = 0.5  # share dropped; it is G's only noise, so also in sampling (3.1)
    dropout_blocks: Few = 3  # decoder layers with dropout, from the innermost on (6.1.1)
    d_channels: PerLayer = (64, 128, 256, 512)  # of D's layers before the last (6.1.2)
    d_strides: PerLayer = (2, 2, 2, 1)  # of the same layers; the last has a stride of 1
    d_kernel: Few = 4  # pixels
    conditional: bool = True  # True: D sees x and y (cGAN); False: y alone (GAN)
    norm: Literal["instance", "batch"] = "instance"  # of both networks
    lambda_adv: Amount = 1.0  # weight of the adversarial loss; 0 trains without D
    lambda_l1: Amount = 100.0  # weight of the mean absolute error (equation 4)
    lambda_l2: Amount = 0.0  # weight of the mean squared error
    lr_g: Amount = 2e-4  # Adam's step size for G (3.3)
    lr_d: Amount = 2e-4  # the same for D
    betas: tuple[Share, Share] = (0.5, 0.999)  # Adam's decay rates (3.3)
    init_std: Amount = 0.02  # weights start from N(0, init_std), gains from N(1, init_std) (6.2)
    ema_decay: Share = 0.0  # decay of the average of G's weights, which sample() uses; 0: none
    batch_size: Count = 1  # pairs
    steps: Count = 80_000  # updates of each player: 200 epochs of 400 facades (6.2)


_LAPTOP = Config(
    image_size=64,  # five halvings leave 2 x 2, as few layers as see the whole picture
    g_channels=(32, 64, 96, 128, 128),
    dropout_blocks=2,  # of the four decoder layers that could have it
    d_channels=(32, 64, 128),  # patches of 34 pixels: half of the side; the paper's are a quarter
    d_strides=(2, 2, 1),
    lr_g=1e-3,  # after 60 steps the held-out L1 error is .223 in place of .232 with 5e-4
    lr_d=1e-3,
    ema_decay=0.99,  # the last 100 steps: what large steps leave to and fro is averaged out
    batch_size=16,
    steps=500,
)

PRESETS = {
    "smoke": replace(
        _LAPTOP,
        image_size=32,
        g_channels=(8, 16, 16),
        d_channels=(8, 16),
        d_strides=(2, 1),
        batch_size=8,
        steps=10,
    ),
    "laptop": _LAPTOP,
    # The published numbers. The bottleneck, one pixel per channel, has no norm, which would set it
    # to 0 (6.3, errata). The authors' biases all stay at 0; here G's last layer and D's first and
    # last have a bias, as in junyanz/pytorch-CycleGAN-and-pix2pix.
    "paper": Config(),
}

# The rows of the paper's tables 1 and 3, and L2, as fields of a Config.
LOSSES = {
    "L1": {"lambda_adv": 0.0},
    "L2": {"lambda_adv": 0.0, "lambda_l1": 0.0, "lambda_l2": 100.0},
    "GAN": {"lambda_l1": 0.0, "conditional": False},
    "cGAN": {"lambda_l1": 0.0},
    "L1+GAN": {"conditional": False},
    "L1+cGAN": {},
}
PATCHES = {
    1: {"d_kernel": 1, "d_channels": (64, 128), "d_strides": (1, 1)},
    16: {"d_channels": (64, 128), "d_strides": (2, 1)},
    70: {"d_channels": (64, 128, 256, 512), "d_strides": (2, 2, 2, 1)},
    286: {"d_channels": (64, 128, 256, 512, 512, 512), "d_strides": (2, 2, 2, 2, 2, 1)},
}


class Generator(nn.Module):
    """A picture in, a picture out: an encoder halves the side, a decoder doubles it again.

    With ``skips`` it is a U-Net: each decoder layer after the first also gets the output of the
    encoder that has its input's size.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        widths, depth = [cfg.channels_A, *cfg.g_channels], len(cfg.g_channels)
        if not depth or cfg.image_size % 2**depth:
            raise CourseError(
                f"each of the {depth} g_channels halves the side: there must be a layer, and "
                f"image_size must be a multiple of {2**depth}, not {cfg.image_size}."
            )
        norm = NORMS[choose("norm", cfg.norm, NORMS)]
        self.skips, self.dropout, self.dropout_blocks = cfg.skips, cfg.dropout, cfg.dropout_blocks
        self.down, self.down_norms = nn.ModuleList(), nn.ModuleList()
        self.up, self.up_norms = nn.ModuleList(), nn.ModuleList()
        for i, (before, after) in enumerate(pairwise(widths)):
            self.down.append(nn.Conv2d(before, after, 4, 2, 1, bias=False))
            self.down_norms.append(norm(after) if 0 < i < depth - 1 else nn.Identity())
        for i in reversed(range(depth)):
            last, before = i == 0, widths[i + 1]
            if cfg.skips and i < depth - 1:
                before *= 2
            after = cfg.channels_B if last else widths[i]
            self.up.append(nn.ConvTranspose2d(before, after, 4, 2, 1, bias=last))
            self.up_norms.append(nn.Identity() if last else norm(after))

    def forward(self, x):
        """Translate x, (N, channels_A, H, W), to y, (N, channels_B, H, W) in [-1, 1].

        Dropout acts in evaluation mode too: it takes the place of the noise z (section 3.1).
        """
        encoded = []
        for i, (down, norm) in enumerate(zip(self.down, self.down_norms, strict=True)):
            x = norm(down(F.leaky_relu(x, 0.2) if i else x))  # (N, g_channels[i], half the side)
            encoded.append(x)
        encoded.pop()  # the bottleneck is the decoder's input already
        for i, (up, norm) in enumerate(zip(self.up, self.up_norms, strict=True)):
            x = norm(up(F.relu(x)))  # twice the side
            if encoded:  # in all layers but the last
                skip = encoded.pop()
                if i < self.dropout_blocks:
                    x = F.dropout(x, self.dropout, training=True)
                if self.skips:
                    x = torch.cat([x, skip], 1)
        return torch.tanh(x)  # (N, channels_B, H, W)


class Discriminator(nn.Module):
    """A PatchGAN: a pair of pictures in, a logit for each patch out (6.1.2).

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        if len(cfg.d_channels) != len(cfg.d_strides) or not cfg.d_channels:
            raise CourseError(
                "d_channels and d_strides must have one number each for every layer of D but the "
                f"last, and for at least one layer; found {cfg.d_channels} and {cfg.d_strides}."
            )
        norm, pad = NORMS[choose("norm", cfg.norm, NORMS)], (cfg.d_kernel - 1) // 2
        self.conditional, side = cfg.conditional, cfg.image_size
        widths = [cfg.channels_B + cfg.channels_A * cfg.conditional, *cfg.d_channels]
        self.layers, self.norms = nn.ModuleList(), nn.ModuleList()
        for i, ((before, after), stride) in enumerate(
            zip(pairwise(widths), cfg.d_strides, strict=True)
        ):
            bias = i == 0  # a norm would cancel it
            self.layers.append(nn.Conv2d(before, after, cfg.d_kernel, stride, pad, bias=bias))
            self.norms.append(norm(after) if i else nn.Identity())
            side = (side + 2 * pad - cfg.d_kernel) // stride + 1
        self.out = nn.Conv2d(widths[-1], 1, cfg.d_kernel, 1, pad)
        if side + 2 * pad < cfg.d_kernel or (side < 2 and len(cfg.d_channels) > 1):
            raise CourseError(
                f"D's layers leave nothing of {cfg.image_size} pixels: its patches would have "
                f"{receptive_field(cfg)}. Use fewer d_channels or smaller d_strides."
            )

    def forward(self, x, y):
        """Return logits, (N, h, w), for y, (N, channels_B, H, W), as a translation of x."""
        h = torch.cat([x, y], 1) if self.conditional else y
        for layer, norm in zip(self.layers, self.norms, strict=True):
            h = F.leaky_relu(norm(layer(h)), 0.2)  # (N, d_channels[i], side / d_strides[i])
        return self.out(h).squeeze(1)


def receptive_field(cfg):
    """Return the side, in pixels, of the patch that one logit of D depends on.

    Each layer adds ``d_kernel - 1`` times the product of the strides before it. Part of a patch
    may lie outside the picture.
    """
    field, strides = 1, 1
    for stride in (*cfg.d_strides, 1):
        field += (cfg.d_kernel - 1) * strides
        strides *= stride
    return field


def d_loss(real_logits, fake_logits):
    """Return what D minimises, in nats: minus half of equation 1 (section 3.3).

    Parameters
    ----------
    real_logits, fake_logits : Tensor, (N, h, w)

    Returns
    -------
    Tensor, ()
        Log 2 = 0.693 when D cannot tell the pairs apart.
    """
    return (F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()) / 2


def g_loss(fake_logits):
    """Return the adversarial part of G's loss, in nats: -log D(x, G(x)), the mean over patches."""
    return F.softplus(-fake_logits).mean()


def inputs(cfg):
    """Return the fields that a batch has for this configuration, by name."""
    size = (cfg.image_size, cfg.image_size)
    return {
        "input": Pictures(shape=(cfg.channels_A, *size)),
        "target": Pictures(shape=(cfg.channels_B, *size)),
    }


def configure(preset, fields):
    """Return a preset's configuration, fitted to the fields of a data set."""
    x, y = fields["input"], fields["target"]
    return replace(PRESETS[preset], channels_A=x.channels, channels_B=y.channels)


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

    Raises
    ------
    CourseError
        If the layers do not fit the pictures, or all weights of G's losses are 0.
    """
    if not (cfg.lambda_adv or cfg.lambda_l1 or cfg.lambda_l2):
        raise CourseError(
            "lambda_adv, lambda_l1 and lambda_l2 are all 0: G would learn nothing. Set one above 0."
        )
    netG, netD = networks(cfg).values()
    for net in (netG, netD):
        init_normal(net, cfg.init_std, gain_std=cfg.init_std)
    gan = GAN(cfg, PUBLISHED, netG=run.place(netG), netD=run.place(netD))
    gan.opt_g = torch.optim.Adam(netG.parameters(), lr=cfg.lr_g, betas=cfg.betas, fused=True)
    gan.opt_d = torch.optim.Adam(netD.parameters(), lr=cfg.lr_d, betas=cfg.betas, fused=True)
    if cfg.ema_decay:
        gan.ema = EMA(netG, cfg.ema_decay, gan.opt_g)
    return gan


def train_step(gan, batch, run):
    """Update D once, then G once.

    Parameters
    ----------
    gan : GAN
    batch : dict
        ``input``: x, (N, channels_A, H, W); ``target``: y, (N, channels_B, H, W), row by row;
        both in [-1, 1].
    run : Run

    Returns
    -------
    dict of str to Tensor, ()
        The adversarial losses in nats; D's mean probability of "real" for real and for fake pairs;
        the mean absolute and squared errors, of pixel values in [-1, 1]. Without ``lambda_adv``
        only these errors.
    """
    x, y, cfg, log = batch["input"], batch["target"], gan.cfg, {}
    with run.autocast():
        fake = gan.netG(x)

    if cfg.lambda_adv:
        with run.autocast():
            real_logits = gan.netD(x, y)
            fake_logits = gan.netD(x, fake.detach())
            loss_d = d_loss(real_logits, fake_logits)
        gan.opt_d.zero_grad()
        loss_d.backward()
        gan.opt_d.step()
        log["D/adv"] = loss_d.detach()
        log["D/prob_real"] = real_logits.detach().sigmoid().mean()
        log["D/prob_fake"] = fake_logits.detach().sigmoid().mean()

    gan.netD.requires_grad_(False)
    l1, l2 = F.l1_loss(fake.float(), y), F.mse_loss(fake.float(), y)
    loss_g = cfg.lambda_l1 * l1 + cfg.lambda_l2 * l2  # equation 4
    if cfg.lambda_adv:
        with run.autocast():
            adv = g_loss(gan.netD(x, fake))
        loss_g = loss_g + cfg.lambda_adv * adv
        log["G/adv"] = adv.detach()
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)

    return log | {"G/l1": l1.detach(), "G/l2": l2.detach()}


@torch.no_grad()
def sample(gan, n=None, *, input, seed=0):
    """Translate pictures, with the averaged generator if there is one.

    Parameters
    ----------
    gan : GAN
    n : int, optional
        Not used: there is one output for each row of ``input``.
    input : Tensor, (N, channels_A, H, W)
        In [-1, 1].
    seed : int
        Seed of the dropout, which is the same for each picture. The random state of the training
        stays as it is.

    Returns
    -------
    Tensor, (N, channels_B, H, W)
        In [-1, 1].
    """
    translated = []
    with sampling(gan) as netG, undisturbed():
        for x in input.to(device_of(netG)).split(1):  # alone, so that no picture changes another's
            torch.manual_seed(seed)
            translated.append(netG(x))
    return torch.cat(translated)
