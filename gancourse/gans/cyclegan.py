"""CycleGAN: two translators, each the inverse of the other, learned from pictures without pairs.

Zhu et al. 2017, arXiv:1703.10593. What differs from Pix2Pix: no picture has a target, so that an
L1 loss against one is not possible. There are two generators, A to B and B to A, and a
discriminator for each domain; a picture that is translated there and back must stay as it was.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from gancourse.errors import CourseError, choose
from gancourse.fields import Pictures
from gancourse.files.schema import Amount, Channels, Count, Few, Listed, Share, Side, Width
from gancourse.gans.blocks import ImagePool, device_of, init_normal, sampling
from gancourse.training.gan import GAN
from gancourse.training.schedules import linear_decay

TAKES = {"real_A": Pictures, "real_B": Pictures}
SAMPLES = {"real_B": ("real_A",), "real_A": ("real_B",)}
PLAYERS = {"D": ("netD_A", "netD_B"), "G": ("netG_AB", "netG_BA")}
PUBLISHED = ("netG_AB", "netG_BA")
STAGES = {"train_step": "steps"}

DIRECTIONS = ("AB", "BA")
CYCLES = ("forward", "backward")


@dataclass(frozen=True, kw_only=True)
class Config:
    """The hyperparameters; the defaults are the paper's, for horse to zebra.

    What the paper leaves open is as in github.com/junyanz/pytorch-CycleGAN-and-pix2pix.
    """

    image_size: Side = 256  # pixels; a multiple of 2 ** g_downs
    channels_A: Channels = 3  # of the pictures of domain A: 3 for colour, 1 for grey
    channels_B: Channels = 3  # the same for domain B
    ngf: Width = 64  # channels of G's first layer; each halving of the side doubles them (7.2)
    g_downs: Few = 2  # how often G halves the side, and doubles it again (7.2)
    g_blocks: Few = 9  # residual blocks in the middle; 6 for 128x128 (section 4)
    g_kernel: Few = 7  # pixels; odd; of G's first and last layer (7.2)
    g_stride_kernel: Literal[3, 4] = 3  # pixels; of G's layers of stride 2 (7.2)
    g_skip: bool = False  # G adds its input to its output: it need not learn to copy
    ndf: Width = 64  # channels of D's first layer; each further one doubles them, up to 8 ndf (7.2)
    d_layers: Few = 3  # of stride 2 in D; 3 make patches of 70 pixels, 2 of 34, 1 of 16 (section 4)
    lambda_adv: Amount = 1.0  # weight of the adversarial loss; 0 trains without D (5.1.4)
    lambda_cyc: Amount = 10.0  # weight of the cycle loss (section 4)
    cycles: Listed[Literal["forward", "backward"]] = CYCLES  # A -> B -> A, B -> A -> B (5.1.4)
    cycle_norm: Literal["l1", "l2"] = "l1"  # of the cycle loss; the paper's is "l1"
    lambda_idt: Amount = 0.5  # weight of the identity loss, times lambda_cyc (5.2); 0 means none
    pool_size: Literal[0] | Count = 50  # earlier fakes kept for each D (section 4); 0 means none
    lr: Amount = 2e-4  # first step size of all four networks (section 4)
    constant: Share = 0.5  # share of the steps before lr falls linearly to 0 (section 4)
    betas: tuple[Share, Share] = (0.5, 0.999)  # Adam's decay rates
    init_std: Amount = 0.02  # weights start from N(0, init_std) (7.1)
    batch_size: Count = 1  # pictures of each domain (section 4)
    steps: Count = 266_800  # 200 epochs (section 4) of the 1,334 zebras, the larger of the two sets


_LAPTOP = Config(
    image_size=64,
    ngf=16,
    g_blocks=3,
    g_kernel=5,
    g_stride_kernel=4,  # a multiple of the stride: each pixel has as many inputs (lesson 2)
    g_skip=True,  # no step is spent on learning to copy
    ndf=16,
    d_layers=2,
    lr=1e-3,  # five times the paper's: the run is short; with 2e-3 D wins for longer
    batch_size=4,  # better than 1 or 2 after equal seconds, with one seed at 32x32
    steps=300,
)

PRESETS = {
    "smoke": replace(_LAPTOP, image_size=32, ngf=4, g_blocks=1, ndf=4, pool_size=8, steps=6),
    "laptop": _LAPTOP,
    # The published numbers, with these differences: no bias where instance norm would cancel it;
    # the discriminators are updated first, as in the lessons before; and the identity loss, which
    # the paper uses only from paintings to photographs, is used here, as in the authors' code.
    "paper": Config(),
}


def conv(before, after, kernel, bias=False):
    """Return a convolution with an odd kernel and reflection padding, which keeps the side."""
    return nn.Conv2d(before, after, kernel, 1, kernel // 2, bias=bias, padding_mode="reflect")


class InstanceNorm(nn.Module):
    """Instance normalisation: each channel of each picture gets mean 0 and variance 1."""

    def forward(self, x):
        """Normalise x, (N, C, H, W), by group norm with C groups: much faster in bf16 on a CPU."""
        return F.group_norm(x.contiguous(), x.shape[1])


class Residual(nn.Module):
    """A residual block: two convolutions whose result is added to their input."""

    def __init__(self, channels):
        super().__init__()
        first, second = (conv(channels, channels, 3) for _ in range(2))
        self.body = nn.Sequential(first, InstanceNorm(), nn.ReLU(), second, InstanceNorm())

    def forward(self, x):
        """Return x, (N, channels, H, W), plus the result of both convolutions."""
        return x + self.body(x)


class Generator(nn.Module):
    """A picture of one domain in, one of the other out.

    In the paper's notation (7.2): c7s1-64, d128, d256, R256 nine times, u128, u64, c7s1-3. The
    direction, "AB" or "BA", decides how many channels come in and go out.
    """

    def __init__(self, cfg, direction="AB"):
        super().__init__()
        ends = (cfg.channels_A, cfg.channels_B)
        first, last = ends if choose("direction", direction, DIRECTIONS) == "AB" else ends[::-1]
        widths = [cfg.ngf * 2**i for i in range(cfg.g_downs + 1)]
        layers = [conv(first, cfg.ngf, cfg.g_kernel), InstanceNorm(), nn.ReLU()]
        k = cfg.g_stride_kernel
        for before, after in pairwise(widths):
            layers.append(nn.Conv2d(before, after, k, 2, 1, bias=False))
            layers += [InstanceNorm(), nn.ReLU()]
        layers += [Residual(widths[-1]) for _ in range(cfg.g_blocks)]
        for before, after in pairwise(widths[::-1]):
            layers.append(nn.ConvTranspose2d(before, after, k, 2, 1, k % 2, bias=False))
            layers += [InstanceNorm(), nn.ReLU()]
        self.layers = nn.Sequential(*layers, conv(cfg.ngf, last, cfg.g_kernel, bias=True))
        self.skip = cfg.g_skip

    def forward(self, x):
        """Translate pictures x, (N, C, H, W) in [-1, 1], to pictures of the same size."""
        y = self.layers(x)
        if self.skip:
            # Where the layers return 0, G returns tanh(atanh(0.97 x)) = 0.97 x, nearly its input.
            # Without the factor, atanh would be infinite at -1 and 1.
            y = y + torch.atanh(0.97 * x.float().clamp(-1, 1))
        return torch.tanh(y)


class Discriminator(nn.Module):
    """A PatchGAN (7.2): a picture of domain "A" or "B" in, a number for each patch out."""

    def __init__(self, cfg, domain="B"):
        super().__init__()
        channels = getattr(cfg, f"channels_{domain}")
        widths = [cfg.ndf * min(2**i, 8) for i in range(cfg.d_layers + 1)]
        layers = [nn.Conv2d(channels, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
        for i, (before, after) in enumerate(pairwise(widths), start=1):
            stride = 2 if i < cfg.d_layers else 1
            layers.append(nn.Conv2d(before, after, 4, stride, 1, bias=False))
            layers += [InstanceNorm(), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1))

    def forward(self, x):
        """Return a number for each patch, (N, h, w), of pictures x, (N, C, H, W)."""
        return self.layers(x).squeeze(1)


def d_loss(real_logits, fake_logits):
    """Return what one D minimises: ((D(b) - 1)^2 + D(G(a))^2) / 2.

    The paper halves D's objective, so that D learns more slowly than G (7.1).

    Parameters
    ----------
    real_logits, fake_logits : Tensor, (N, h, w)

    Returns
    -------
    Tensor, ()
        1/4 when D returns 1/2 for all pictures.
    """
    return ((real_logits - 1).square().mean() + fake_logits.square().mean()) / 2


def g_loss(fake_logits):
    """Return the adversarial part of G's loss: (D(G(a)) - 1)^2 (section 4).

    Parameters
    ----------
    fake_logits : Tensor, (N, h, w)

    Returns
    -------
    Tensor, ()
    """
    return (fake_logits - 1).square().mean()


def cycle_loss(real, rec, norm="l1"):
    """Return the distance of pictures a from their reconstructions F(G(a)) (equation 2).

    Parameters
    ----------
    real, rec : Tensor, (N, C, H, W)
    norm : {"l1", "l2"}
        The mean absolute or the mean squared difference.

    Returns
    -------
    Tensor, ()
    """
    choose("cycle_norm", norm, ("l1", "l2"))
    return F.l1_loss(rec, real) if norm == "l1" else F.mse_loss(rec, real)


def identity_loss(real, same):
    """Return the L1 distance of pictures b of G's target domain from G(b) (5.2).

    Parameters
    ----------
    real, same : Tensor, (N, C, H, W)

    Returns
    -------
    Tensor, ()
    """
    return F.l1_loss(same, real)


def inputs(cfg):
    """Return the fields that a batch has for this configuration, by name."""
    size = (cfg.image_size, cfg.image_size)
    return {
        "real_A": Pictures(shape=(cfg.channels_A, *size)),
        "real_B": Pictures(shape=(cfg.channels_B, *size)),
    }


def configure(preset, fields):
    """Return a preset's configuration, fitted to the fields of a data set."""
    a, b = fields["real_A"], fields["real_B"]
    return replace(PRESETS[preset], channels_A=a.channels, channels_B=b.channels)


def networks(cfg):
    """Return the untrained networks by name."""
    return {
        "netG_AB": Generator(cfg, "AB"),
        "netG_BA": Generator(cfg, "BA"),
        "netD_A": Discriminator(cfg, "A"),
        "netD_B": Discriminator(cfg, "B"),
    }


def build(cfg, run):
    """Return the four networks with their optimizers, schedules and image pools.

    Parameters
    ----------
    cfg : Config
    run : Run

    Returns
    -------
    GAN
        With ``netG_AB``, ``netG_BA``, ``netD_A`` (judges domain A), ``netD_B``, ``opt_g`` and
        ``opt_d`` (of two networks each), ``schedule_g``, ``schedule_d``, ``pool_A``, ``pool_B``.

    Raises
    ------
    CourseError
        If fields of the configuration contradict each other.
    """
    if (cfg.lambda_idt or cfg.g_skip) and cfg.channels_A != cfg.channels_B:
        raise CourseError(
            "lambda_idt and g_skip need as many channels in A as in B, not "
            f"{cfg.channels_A} and {cfg.channels_B}. Set lambda_idt=0 and g_skip=False."
        )
    if 0 < cfg.pool_size < cfg.batch_size:
        raise CourseError(
            f"pool_size must be 0, or at least the batch_size, which is {cfg.batch_size}."
        )
    for name in cfg.cycles:
        choose("cycle", name, CYCLES)
    nets = networks(cfg)
    for net in nets.values():
        init_normal(net, cfg.init_std)
    gan = GAN(cfg, PUBLISHED, **{name: run.place(net) for name, net in nets.items()})
    for player, names in PLAYERS.items():
        weights = [w for name in names for w in nets[name].parameters()]
        optimizer = torch.optim.Adam(weights, lr=cfg.lr, betas=cfg.betas, fused=True)
        setattr(gan, f"opt_{player.lower()}", optimizer)
    gan.schedule_g = linear_decay(gan.opt_g, cfg.steps, cfg.constant)
    gan.schedule_d = linear_decay(gan.opt_d, cfg.steps, cfg.constant)
    gan.pool_A, gan.pool_B = ImagePool(cfg.pool_size), ImagePool(cfg.pool_size)
    return gan


def train_step(gan, batch, run):
    """Update both discriminators, then both generators; a term of weight 0 is not computed.

    Parameters
    ----------
    gan : GAN
    batch : dict
        ``real_A``, ``real_B``: (N, channels, image_size, image_size) in [-1, 1], unpaired.
    run : Run

    Returns
    -------
    dict of str to Tensor, ()
        The losses without their weights, each the sum over both directions.
    """
    cfg, real_A, real_B = gan.cfg, batch["real_A"], batch["real_B"]
    cycles, lambda_idt = cfg.cycles if cfg.lambda_cyc else (), cfg.lambda_cyc * cfg.lambda_idt
    logs, terms = {}, {}
    with run.autocast():
        if lambda_idt:  # one pass for both: instance norm keeps pictures apart
            fake_B, same_B = gan.netG_AB(torch.cat([real_A, real_B])).chunk(2)
            fake_A, same_A = gan.netG_BA(torch.cat([real_B, real_A])).chunk(2)
            terms["G/identity"] = identity_loss(real_A, same_A) + identity_loss(real_B, same_B)
        else:
            fake_B, fake_A = gan.netG_AB(real_A), gan.netG_BA(real_B)

    if cfg.lambda_adv:
        with run.autocast():
            shown_A = torch.cat([real_A, gan.pool_A(fake_A.detach())])
            shown_B = torch.cat([real_B, gan.pool_B(fake_B.detach())])
            loss_d = d_loss(*gan.netD_A(shown_A).chunk(2)) + d_loss(*gan.netD_B(shown_B).chunk(2))
        gan.opt_d.zero_grad()
        loss_d.backward()
        gan.opt_d.step()
        logs["D/adv"] = loss_d.detach()

    gan.netD_A.requires_grad_(False)
    gan.netD_B.requires_grad_(False)
    with run.autocast():
        if cfg.lambda_adv:
            terms["G/adv"] = g_loss(gan.netD_A(fake_A)) + g_loss(gan.netD_B(fake_B))
        back = []
        if "forward" in cycles:
            back.append(cycle_loss(real_A, gan.netG_BA(fake_B), cfg.cycle_norm))
        if "backward" in cycles:
            back.append(cycle_loss(real_B, gan.netG_AB(fake_A), cfg.cycle_norm))
        if back:
            terms["G/cycle"] = sum(back)
        weights = {"G/adv": cfg.lambda_adv, "G/cycle": cfg.lambda_cyc, "G/identity": lambda_idt}
        loss_g = sum(weights[name] * term for name, term in terms.items())
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD_A.requires_grad_(True)
    gan.netD_B.requires_grad_(True)

    return logs | {name: term.detach() for name, term in terms.items()}


@torch.no_grad()
def sample(gan, n=None, *, real_A=None, real_B=None, seed=0):
    """Translate pictures of one domain into the other.

    Parameters
    ----------
    gan : GAN
    n : int, optional
        Not used: there is one output for each picture.
    real_A, real_B : Tensor, (N, channels_A or channels_B, H, W)
        One of the two, in [-1, 1]; H and W are multiples of 2 ** g_downs.
    seed : int
        Not used: nothing is drawn at random.

    Returns
    -------
    Tensor, (N, channels_B or channels_A, H, W)
        In [-1, 1].

    Raises
    ------
    CourseError
        If both or neither are given, or the shape does not fit.
    """
    if (real_A is None) == (real_B is None):
        raise CourseError("give either real_A or real_B: the pictures to translate.")
    x, domain, name = (real_A, "A", "netG_AB") if real_B is None else (real_B, "B", "netG_BA")
    channels, stride = getattr(gan.cfg, f"channels_{domain}"), 2**gan.cfg.g_downs
    if x.ndim != 4 or x.shape[1] != channels or any(side % stride for side in x.shape[2:]):
        raise CourseError(
            f"real_{domain} must have the shape (N, {channels}, H, W), H and W multiples of "
            f"{stride}, not {tuple(x.shape)}"
        )
    with sampling(gan, name) as netG:
        return netG(x.to(device_of(netG))).float()
