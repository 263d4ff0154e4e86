"""CycleGAN: two translators that must undo each other, learned from two sets without any pairs.

Zhu et al. 2017, arXiv:1703.10593. What differs from Pix2Pix: no picture has a partner, so no L1
against a target is possible. There are two generators, A to B and B to A, each with a
discriminator of its own; a picture that goes there and back must come back as it was.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from gancourse.errors import CourseError, choose
from gancourse.training.gan import GAN

DIRECTIONS = ("AB", "BA")
CYCLES = ("forward", "backward")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that a run is made of; the defaults are the paper's, for horse to zebra.

    What the paper leaves open is as in github.com/junyanz/pytorch-CycleGAN-and-pix2pix.
    """

    image_size: int = 256  # pixels; a multiple of 2 ** g_downs
    channels_A: int = 3  # of the pictures of domain A: 3 for colour, 1 for grey
    channels_B: int = 3  # the same for domain B
    ngf: int = 64  # channels of G's first layer; each halving of the side doubles them (7.2)
    g_downs: int = 2  # how often G halves the side, and doubles it again (7.2)
    g_blocks: int = 9  # residual blocks in the middle; 6 for 128x128 (section 4)
    g_kernel: int = 7  # pixels; odd; of G's first and last layer (7.2)
    g_skip: bool = False  # G adds its input to its output, so that it need not learn to copy
    ndf: int = 64  # channels of D's first layer; doubled by each further one, up to 8 times (7.2)
    d_layers: int = 3  # of stride 2 in D; 3 sees patches of 70x70, 2 of 34, 1 of 16 (section 4)
    lambda_adv: float = 1.0  # weight of the adversarial loss; 0 trains without D (5.1.4)
    lambda_cyc: float = 10.0  # weight of the cycle loss (section 4)
    cycles: tuple = CYCLES  # "forward" is A -> B -> A, "backward" is B -> A -> B (5.1.4)
    cycle_norm: str = "l1"  # of the difference in the cycle loss: "l1" (the paper's) or "l2"
    lambda_idt: float = 0.5  # weight of the identity loss, times lambda_cyc (5.2); 0 means none
    pool_size: int = 50  # earlier fakes that each D draws on (section 4); 0 means none
    lr: float = 2e-4  # step size of all four networks, to begin with (section 4)
    constant: float = 0.5  # share of the steps before lr falls linearly to 0 (section 4)
    betas: tuple = (0.5, 0.999)  # Adam's decay rates
    init_std: float = 0.02  # weights start from N(0, init_std) (7.1)
    batch_size: int = 1  # pictures of each domain (section 4)
    steps: int = 266_800  # 200 epochs (section 4) of the 1,334 zebras, the larger of the two sets


_LAPTOP = Config(
    image_size=64,
    ngf=16,
    g_downs=1,
    g_blocks=3,
    g_kernel=5,
    g_skip=True,
    ndf=16,
    d_layers=2,
    lr=1e-3,
    batch_size=4,
    steps=300,
)

PRESETS = {
    "smoke": replace(_LAPTOP, image_size=32, ngf=4, g_blocks=1, ndf=4, pool_size=8, steps=6),
    "laptop": _LAPTOP,
    # The published numbers, with these differences: no bias where instance norm would cancel it;
    # the discriminators move first, as in the lessons before; and the identity loss, which the
    # paper has for paintings to photographs alone, is always there, as in the authors' code.
    "paper": Config(),
}


def conv(before, after, kernel, bias=False):
    """Return a convolution that keeps the side: the border is reflected, not filled with zeros."""
    return nn.Conv2d(before, after, kernel, 1, kernel // 2, bias=bias, padding_mode="reflect")


class InstanceNorm(nn.Module):
    """Give each channel of each picture mean 0 and variance 1."""

    def forward(self, x):
        """Normalise x, (N, C, H, W); as group norm this is much faster in bf16 on a CPU."""
        return F.group_norm(x.contiguous(), x.shape[1])


class Residual(nn.Module):
    """A residual block: two convolutions whose result is added to their input."""

    def __init__(self, channels):
        super().__init__()
        first, second = (conv(channels, channels, 3) for _ in range(2))
        self.body = nn.Sequential(first, InstanceNorm(), nn.ReLU(), second, InstanceNorm())

    def forward(self, x):
        """Return x plus the result of both convolutions; the shape stays."""
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
        for before, after in pairwise(widths):
            layers.append(nn.Conv2d(before, after, 3, 2, 1, bias=False))
            layers += [InstanceNorm(), nn.ReLU()]
        layers += [Residual(widths[-1]) for _ in range(cfg.g_blocks)]
        for before, after in pairwise(widths[::-1]):
            layers.append(nn.ConvTranspose2d(before, after, 3, 2, 1, output_padding=1, bias=False))
            layers += [InstanceNorm(), nn.ReLU()]
        self.layers = nn.Sequential(*layers, conv(cfg.ngf, last, cfg.g_kernel, bias=True))
        self.skip = cfg.g_skip

    def forward(self, x):
        """Translate pictures x, (N, C, H, W) in [-1, 1]; the size stays as it is."""
        y = self.layers(x)
        if self.skip:
            # Layers that return 0 leave the picture as it is, but for the factor: the tanh below
            # inverts this atanh, which would be infinite at -1 and 1 without the factor.
            y = y + torch.atanh(0.97 * x.float().clamp(-1, 1))
        return torch.tanh(y)


class Discriminator(nn.Module):
    """A PatchGAN: a picture of one domain, "A" or "B", in, a number for each patch out (7.2)."""

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
        """Judge pictures, (N, C, H, W), patch by patch: (N, h, w)."""
        return self.layers(x).squeeze(1)


def d_loss(real_logits, fake_logits):
    """Return what one D minimises: ((D(b) - 1)^2 + D(G(a))^2) / 2.

    The paper halves D's objective, so that D learns more slowly than G (7.1).
    """
    return ((real_logits - 1).square().mean() + fake_logits.square().mean()) / 2


def g_loss(fake_logits):
    """Return the adversarial part of what G minimises: (D(G(a)) - 1)^2 (section 4)."""
    return (fake_logits - 1).square().mean()


def cycle_loss(real, rec, norm="l1"):
    """Return the distance of pictures a from their reconstructions F(G(a)) (equation 2).

    Both are (N, C, H, W); ``norm`` is "l1", the mean absolute difference, or "l2", the mean
    squared one.
    """
    choose("cycle_norm", norm, ("l1", "l2"))
    return F.l1_loss(rec, real) if norm == "l1" else F.mse_loss(rec, real)


def identity_loss(real, same):
    """Return the L1 distance of pictures of G's target domain from G's output for them (5.2)."""
    return F.l1_loss(same, real)


class ImagePool:
    """Earlier fakes of one generator, for D, which must not forget how to tell those.

    It holds ``size`` of them; 0 passes all pictures through.
    """

    def __init__(self, size):
        self.size, self.count, self.images = size, 0, None

    def __call__(self, fake):
        """Return as many pictures as came in, (N, C, H, W): each is new or, evenly likely, old.

        Until the pool is full it keeps and returns all. From then on a new picture takes, with
        probability 1/2, the place of an old one, which is returned instead (section 4).
        """
        if not self.size:
            return fake
        if self.images is None:
            self.images = fake.new_zeros(self.size, *fake.shape[1:])
        self.images = self.images.to(fake.device)  # after loading it may lie elsewhere
        room = min(self.size - self.count, len(fake))
        self.images[self.count : self.count + room] = fake[:room]
        self.count += room
        if room == len(fake):
            return fake
        kept, new = fake[:room], fake[room:]
        # Drawn and swapped on the device: no number is looked at, so nothing waits for a GPU.
        place = torch.randperm(self.size, device=fake.device)[: len(new)]
        swap = torch.rand(len(new), 1, 1, 1, device=fake.device) < 0.5
        old = self.images[place]
        self.images[place] = torch.where(swap, new, old)
        return torch.cat([kept, torch.where(swap, old, new)])

    def state_dict(self):
        """Return the pictures that it holds; None before the first."""
        return {"images": None if self.images is None else self.images[: self.count]}

    def load_state_dict(self, state):
        """Take over what :meth:`state_dict` returned."""
        self.count, self.images = 0, None
        if state["images"] is not None:
            self(state["images"])


def build(cfg, run):
    """Make the four networks, their optimizers and schedules, and the two pools.

    Parameters
    ----------
    cfg : Config
        A CourseError is raised if its fields contradict each other.
    run : Run

    Returns
    -------
    GAN
        With ``netG_AB``, ``netG_BA``, ``netD_A`` (judges domain A), ``netD_B``, ``opt_g`` and
        ``opt_d`` (of two networks each), ``schedule_g``, ``schedule_d``, ``pool_A``, ``pool_B``.
    """
    if (cfg.lambda_idt or cfg.g_skip) and cfg.channels_A != cfg.channels_B:
        raise CourseError(
            "the identity loss and the skip need as many channels in A as in B, not "
            f"{cfg.channels_A} and {cfg.channels_B}. Set lambda_idt=0 and g_skip=False."
        )
    if 0 < cfg.pool_size < cfg.batch_size:
        raise CourseError(f"pool_size must be 0, or at least the batch_size of {cfg.batch_size}")
    for name in cfg.cycles:
        choose("cycle", name, CYCLES)
    nets = {f"netG_{direction}": Generator(cfg, direction) for direction in DIRECTIONS}
    nets |= {f"netD_{domain}": Discriminator(cfg, domain) for domain in "AB"}
    for layer in (layer for net in nets.values() for layer in net.modules()):
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, cfg.init_std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    gan = GAN(cfg, **{name: run.place(net) for name, net in nets.items()})

    def fall(step):
        return max(0.0, min(1.0, (cfg.steps - step) / max(1, cfg.steps * (1 - cfg.constant))))

    for player in "gd":
        weights = [w for n, net in nets.items() if n[3] == player.upper() for w in net.parameters()]
        optimizer = torch.optim.Adam(weights, lr=cfg.lr, betas=cfg.betas, fused=True)
        setattr(gan, f"opt_{player}", optimizer)
        if player == "g" or cfg.lambda_adv:  # else it never makes a step
            setattr(gan, f"schedule_{player}", LambdaLR(optimizer, fall))
    gan.pool_A, gan.pool_B = ImagePool(cfg.pool_size), ImagePool(cfg.pool_size)
    return gan


def train_step(gan, batch, run):
    """Update both discriminators, then both generators; a term of weight 0 is not computed.

    Parameters
    ----------
    gan : GAN
    batch : dict
        ``real_A``, ``real_B``: (N, channels, image_size, image_size) in [-1, 1]; no pairs.
    run : Run

    Returns
    -------
    dict of str to Tensor, ()
        The losses, each the sum over both directions and without its weight.
    """
    cfg, real_A, real_B = gan.cfg, batch["real_A"], batch["real_B"]
    cycles, lambda_idt = cfg.cycles if cfg.lambda_cyc else (), cfg.lambda_cyc * cfg.lambda_idt
    logs, terms = {}, {}
    with run.autocast():
        if lambda_idt:  # one pass for both: no picture sees its neighbour
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
def sample(gan, images, *, direction="AB"):
    """Translate pictures of one domain into the other.

    Parameters
    ----------
    gan : GAN
    images : Tensor, (N, channels_A or channels_B, H, W)
        In [-1, 1]; H and W are multiples of 2 ** g_downs. What doesn't fit is a CourseError.
    direction : {"AB", "BA"}

    Returns
    -------
    Tensor, (N, channels_B or channels_A, H, W)
        In [-1, 1].
    """
    choose("direction", direction, DIRECTIONS)
    channels, stride = getattr(gan.cfg, f"channels_{direction[0]}"), 2**gan.cfg.g_downs
    if images.ndim != 4 or images.shape[1] != channels or any(n % stride for n in images.shape[2:]):
        raise CourseError(
            f"direction {direction!r} takes pictures of shape (N, {channels}, H, W), H and W "
            f"multiples of {stride}, not {tuple(images.shape)}"
        )
    net = getattr(gan, f"netG_{direction}")
    return net(images.to(next(net.parameters()).device)).float()  # no layer has a training mode
