"""Improved Wasserstein GAN: a penalty on the critic's gradient in place of clipped weights.

Gulrajani et al. 2017, arXiv:1704.00028. What differs from the WGAN: the critic's slope is pulled
towards 1 by a penalty, its weights are free, no norm in it mixes the samples of a batch, and Adam
takes the place of RMSProp.
"""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import nn

from gancourse.fields import Pictures, Points
from gancourse.files.schema import Amount, Count, Few, PerLayer, Share, Width
from gancourse.gans.blocks import device_of, draw_rows, perceptron, sampling
from gancourse.training.ema import EMA
from gancourse.training.gan import GAN

TAKES = {"real": Pictures | Points}
SAMPLES = {"real": ("z",)}
PLAYERS = {"D": ("netD",), "G": ("netG",)}
PUBLISHED = ("netG",)
STAGES = {"train_step": "steps"}


@dataclass(frozen=True, kw_only=True)
class Config:
    """The hyperparameters; the defaults are the paper's, for MNIST.

    What the paper leaves open is as in the authors' ``gan_mnist.py``,
    github.com/igul222/improved_wgan_training.
    """

    sample_shape: PerLayer = (1, 28, 28)  # (channels, height, width), or (2,) for points
    latent_dim: Width = 128  # numbers in z, each normal (authors' code)
    ngf: Width = 64  # channels of G's last hidden layer; each earlier layer has twice as many
    ndf: Width = 64  # channels of D's first layer; each later layer has twice as many
    hidden: PerLayer = (512, 512, 512)  # ReLU units per hidden layer of both networks, for points
    kernel_size: Few = 5  # pixels
    g_norm: bool = False  # batch norm in G; the authors have it for 64x64 pictures, not for MNIST
    d_norm: bool = False  # layer norm in D, which sees one sample alone (section 4)
    lambda_gp: Amount = 10.0  # weight of the gradient penalty (section 4)
    n_critic: Count = 5  # updates of D for each update of G (algorithm 1)
    lr_g: Amount = 1e-4  # Adam's step size for G (algorithm 1)
    lr_d: Amount = 1e-4  # the same for D
    betas: tuple[Share, Share] = (0.0, 0.9)  # Adam's decay rates (algorithm 1)
    ema_decay: Share = 0.0  # decay of the average of G's weights, which sample() uses; 0: none
    batch_size: Count = 50  # samples
    steps: Count = 1_000_000  # updates of D: 200,000 of G (authors' code)


_LAPTOP = Config(
    latent_dim=64,
    ngf=16,
    ndf=16,
    g_norm=True,
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
    # The published numbers, with two differences. Adam's first decay rate is the 0 of algorithm 1,
    # where the authors' program for MNIST has 0.5. Pixels are in [-1, 1], so that the sigmoid at
    # the end of G is a tanh; slopes are per unit of that scale.
    "paper": Config(),
}

# For points in the plane, as in the authors' ``gan_toy.py``, whose penalty has a weight of 0.1.
# With 10 the critic hardly turns: where its slope is to change its sign, it has to pass 0, which
# costs most. After 3,000 steps (one seed) the rank correlation of its gap
# with W1 was -0.4.
_PLANE = Config(
    sample_shape=(2,),
    latent_dim=2,
    lambda_gp=0.1,
    betas=(0.5, 0.9),
    batch_size=256,
    steps=500_000,
)

PLANE = {
    "smoke": replace(_PLANE, hidden=(32, 32), batch_size=64, steps=60),
    "laptop": replace(
        _PLANE,
        hidden=(128, 128, 128),
        n_critic=10,
        lr_g=2e-4,
        lr_d=2e-3,
        batch_size=128,
        steps=2_000,
    ),
    "paper": _PLANE,
}


def sides(cfg):
    """Return the sides of a picture on its way through G, such as 4, 7, 14, 28."""
    found = [cfg.sample_shape[1]]
    while found[-1] > 4:
        found.append(math.ceil(found[-1] / 2))
    return found[::-1]


class Generator(nn.Module):
    """Noise in, a picture out: a projection to 4x4 pixels, then layers that double the side.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        self.sides = sides(cfg)
        depth, k = len(self.sides) - 1, cfg.kernel_size
        widths = [cfg.ngf * 2**i for i in reversed(range(depth))] + [cfg.sample_shape[0]]
        self.project = nn.Linear(cfg.latent_dim, widths[0] * self.sides[0] ** 2)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(before, after, k, 2, (k - 1) // 2, output_padding=k % 2)
            for before, after in pairwise(widths)
        )
        norm = nn.BatchNorm2d if cfg.g_norm else nn.Identity
        self.norms = nn.ModuleList(norm(width) for width in widths[:-1])
        self.activation = nn.ReLU()

    def forward(self, z):
        """Turn z, (N, latent_dim), into pictures, (N, channels, side, side)."""
        start, *larger = self.sides
        x = self.project(z).unflatten(1, (-1, start, start))  # (N, ngf * 2**(depth - 1), 4, 4)
        for norm, up, side in zip(self.norms, self.up, larger, strict=True):
            x = up(self.activation(norm(x)))  # half the channels, twice the side
            x = x[:, :, :side, :side]
        return torch.tanh(x)


class Critic(nn.Module):
    """A picture in, one number out, of any size: layers that halve the side, then a linear unit.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        depth, k, side = len(sides(cfg)) - 1, cfg.kernel_size, cfg.sample_shape[1]
        widths = [cfg.sample_shape[0]] + [cfg.ndf * 2**i for i in range(depth)]
        self.down = nn.ModuleList(
            nn.Conv2d(before, after, k, 2, (k - 1) // 2) for before, after in pairwise(widths)
        )
        # One group: the mean and the variance are those of all channels and places of one picture.
        norms = [nn.GroupNorm(1, width) if cfg.d_norm else nn.Identity() for width in widths[2:]]
        self.norms = nn.ModuleList([nn.Identity(), *norms])  # none at D's input
        for _ in range(depth):
            side = (side + 2 * ((k - 1) // 2) - k) // 2 + 1
        self.activation = nn.LeakyReLU(0.2)
        self.out = nn.Linear(widths[-1] * side**2, 1)

    def forward(self, x):
        """Score pictures, (N, channels, side, side), by one number each, (N,)."""
        for down, norm in zip(self.down, self.norms, strict=True):
            x = self.activation(norm(down(x)))  # (N, ndf, 2 ndf, ..., half the side)
        return self.out(x.flatten(1)).squeeze(1)


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
    """Return what D minimises beside the penalty: minus its estimate of the distance W1.

    Parameters
    ----------
    real_scores, fake_scores : Tensor, (N,)

    Returns
    -------
    Tensor, ()
        In the unit of the samples, if the slope of D is 1.
    """
    return fake_scores.mean() - real_scores.mean()


def g_loss(fake_scores):
    """Return what G minimises: minus the mean score of fakes, (N,)."""
    return -fake_scores.mean()


def gradient_penalty(netD, real, fake):
    """Return the gradient penalty of equation 3, without its weight.

    It is the mean of (|gradient of D| - 1)^2 at x_hat, a random point of the line between a real
    sample and a fake one. The norm is that of all numbers of a sample.

    Parameters
    ----------
    netD : callable
        Scores (N,); each depends on its own sample only.
    real, fake : Tensor, (N, ...)

    Returns
    -------
    Tensor, ()
        It can be differentiated by D's weights, where the gradient is 0 too.
    """
    epsilon = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device)
    x_hat = torch.lerp(fake.float(), real.float(), epsilon).requires_grad_()
    (gradient,) = torch.autograd.grad(netD(x_hat).sum(), x_hat, create_graph=True)
    # The slope of this norm at 0 is 0. That of sqrt is infinite, and makes every weight NaN.
    norm = torch.linalg.vector_norm(gradient.flatten(1), dim=1, dtype=torch.float32)  # (N,)
    return (norm - 1).square().mean()


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
    presets = PLANE if isinstance(real, Points) else PRESETS
    return replace(presets[preset], sample_shape=real.shape)


def networks(cfg):
    """Return the untrained networks by name."""
    if len(cfg.sample_shape) == 1:
        netG = perceptron((cfg.latent_dim, *cfg.hidden, *cfg.sample_shape))
        return {"netG": netG, "netD": PointCritic(cfg)}
    return {"netG": Generator(cfg), "netD": Critic(cfg)}


def init_uniform(net):
    """Draw weights as the authors' ``tflib`` does: uniform, with biases of 0.

    The variance is 4 over the sum of both fans for convolutions, 2 over it for linear layers. A
    fan is the number of products for an output, or with an input.
    """
    for layer in net.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
        elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            area = math.prod(layer.kernel_size)
            small = area / math.prod(layer.stride)  # a stride of 2 skips three products of four
            down = isinstance(layer, nn.Conv2d)
            fan_in = layer.in_channels * (area if down else small)
            fan_out = layer.out_channels * (small if down else area)
            bound = math.sqrt(3 * 4 / (fan_in + fan_out))
            nn.init.uniform_(layer.weight, -bound, bound)
        else:
            continue
        nn.init.zeros_(layer.bias)


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
        init_uniform(net)
    netG = run.place(netG)
    netD = replace(run, compile=False).place(netD)  # the penalty needs second derivatives
    gan = GAN(cfg, PUBLISHED, netG=netG, netD=netD)
    gan.opt_g = torch.optim.Adam(netG.parameters(), lr=cfg.lr_g, betas=cfg.betas, fused=True)
    gan.opt_d = torch.optim.Adam(netD.parameters(), lr=cfg.lr_d, betas=cfg.betas, fused=True)
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
        The losses without their weights; that of G only in steps that update G.
    """
    cfg, real = gan.cfg, batch["real"]
    with run.autocast():
        with torch.no_grad():  # D's loss must not change G
            fake = gan.netG(draw_z(cfg, len(real), device=run.device))
        adv_d = d_loss(gan.netD(real), gan.netD(fake))
        penalty = gradient_penalty(gan.netD, real, fake)
        loss_d = adv_d + cfg.lambda_gp * penalty
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()
    losses = {"D/adv": adv_d.detach(), "D/gp": penalty.detach()}

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
