"""InstaGAN: instances change their kind and their shape, and the rest of the picture stays.

Mo, Cho, Shin 2019, arXiv:1812.10889. What differs from CycleGAN: each picture comes with a *set* of
masks, one for each instance, and both networks read it: G translates the picture and each mask
together, D judges them together. Features of the masks are summed, so that neither the order nor
the number of the instances matters, and a further loss keeps what lies outside of them.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from gancourse.errors import CourseError, choose
from gancourse.fields import Masks, Pictures
from gancourse.files.schema import Amount, Channels, Count, Few, Share, Side, Width
from gancourse.gans.blocks import ImagePool, device_of, init_normal, sampling
from gancourse.training.ema import EMA
from gancourse.training.gan import GAN
from gancourse.training.schedules import linear_decay

TAKES = {"real_A": Pictures, "masks_A": Masks, "real_B": Pictures, "masks_B": Masks}
SAMPLES = {"real_B": ("real_A", "masks_A"), "real_A": ("real_B", "masks_B")}
PLAYERS = {"D": ("netD_A", "netD_B"), "G": ("netG_AB", "netG_BA")}
PUBLISHED = ("netG_AB", "netG_BA")
STAGES = {"train_step": "steps"}

DIRECTIONS = ("AB", "BA")


@dataclass(frozen=True, kw_only=True)
class Config:
    """The hyperparameters; the defaults are the paper's.

    What the paper leaves open is as in github.com/sangwoomo/instagan.
    """

    image_size: Side = 200  # pixels; a multiple of 2 ** g_downs (appendix A)
    channels_A: Channels = 3  # of the pictures of domain A: 3 for colour, 1 for grey
    channels_B: Channels = 3  # the same for domain B
    instances_A: Width = 20  # masks of a picture of A, some of which may be empty
    instances_B: Width = 20  # the same for domain B
    ins_max: Count = 4  # the largest instances of a picture, which a training step translates
    ins_per: Count = 2  # of these, how many at a time (section 2.3)
    ngf: Width = 64  # channels of G's first layers; each halving of the side doubles them
    g_downs: Few = 2  # how often G's encoders halve the side, and its decoders double it
    g_blocks: Few = 9  # residual blocks in each encoder
    g_kernel: Few = 7  # pixels; odd; of the first and last layers
    g_stride_kernel: Few = 3  # pixels; 3 or 4; of G's layers of stride 2
    g_skip: bool = False  # G adds the picture outside of the instances, and the old masks
    ndf: Width = 64  # channels of D's first layers; each further one doubles them, up to 8 ndf
    d_layers: Few = 3  # of stride 2 in D; 3 make patches of 70 pixels
    lambda_cyc: Amount = 10.0  # weight of the cycle loss of pictures and masks (section 2.2)
    lambda_idt: Amount = 10.0  # weight of the identity loss (section 2.2)
    lambda_ctx: Amount = 10.0  # weight of the context loss (section 2.2)
    pool_size: Few = 50  # earlier fakes kept for each D; 0 means none
    lr: Amount = 2e-4  # first step size of all four networks
    constant: Share = 0.5  # share of the steps before lr falls linearly to 0
    betas: tuple[Share, Share] = (0.5, 0.999)  # Adam's decay rates
    init_std: Amount = 0.02  # weights start from N(0, init_std)
    ema_decay: Share = 0.0  # decay of the averages of both G, which sample() uses; 0: none
    batch_size: Count = 1  # pictures of each domain
    steps: Count = 200_000  # 200 epochs of 1,000 pictures; the paper's sets have other numbers


# Few steps at 32x32 pixels.
_LAPTOP = Config(
    image_size=32,
    instances_A=3,
    instances_B=3,
    ins_max=2,  # one pass: a second one would be empty for three scenes in four
    ngf=16,
    g_downs=1,  # a tree has 20 pixels
    g_blocks=2,
    g_kernel=5,
    g_stride_kernel=4,  # a multiple of the stride: each pixel has as many inputs (lesson 2)
    g_skip=True,  # no step is spent on learning to copy, nor on rubbing out the old instances
    ndf=16,
    d_layers=2,
    lambda_idt=0.0,  # a third of the time, and the skip leaves it little to do
    lr=1e-3,  # five times the paper's: the run is short
    betas=(0.5, 0.99),
    ema_decay=0.98,
    batch_size=4,
    steps=300,
)

PRESETS = {
    "smoke": replace(
        _LAPTOP, ins_max=4, ngf=4, g_blocks=1, ndf=4, lambda_idt=5.0, pool_size=8, steps=6
    ),
    "laptop": _LAPTOP,
    # The published numbers. The authors' code differs from ours in that it has one picture in a
    # batch only: its sum over the instances runs over the batch, too. Discriminators are updated
    # first, as in the lessons before, and the authors' second. The paper's identity and context
    # losses have the weights of its section 2.2. The biases that instance norm cancels are theirs.
    "paper": Config(),
}


class InstanceNorm(nn.Module):
    """Instance normalisation: each channel of each picture gets mean 0 and variance 1."""

    def forward(self, x):
        """Normalise x, (N, C, H, W), by group norm with C groups: much faster in bf16 on a CPU."""
        return F.group_norm(x.contiguous(), x.shape[1])


def conv(before, after, kernel):
    """Return a convolution with an odd kernel and reflection padding, which keeps the side."""
    return nn.Conv2d(before, after, kernel, 1, kernel // 2, padding_mode="reflect")


class Residual(nn.Module):
    """A residual block: two convolutions whose result is added to their input."""

    def __init__(self, channels):
        super().__init__()
        first, second = (conv(channels, channels, 3) for _ in range(2))
        self.body = nn.Sequential(first, InstanceNorm(), nn.ReLU(), second, InstanceNorm())

    def forward(self, x):
        """Return x, (N, channels, H, W), plus the result of both convolutions."""
        return x + self.body(x)


def encoder(cfg, channels):
    """Return CycleGAN's layers up to the last residual block, for pictures or for masks."""
    widths = [cfg.ngf * 2**i for i in range(cfg.g_downs + 1)]
    layers = [conv(channels, cfg.ngf, cfg.g_kernel), InstanceNorm(), nn.ReLU()]
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, cfg.g_stride_kernel, 2, 1), InstanceNorm(), nn.ReLU()]
    return nn.Sequential(*layers, *(Residual(widths[-1]) for _ in range(cfg.g_blocks)))


def decoder(cfg, parts, channels):
    """Return CycleGAN's layers from there on, for the features of so many encoders."""
    widths, k = [parts * cfg.ngf * 2**i for i in range(cfg.g_downs + 1)], cfg.g_stride_kernel
    layers = []
    for before, after in pairwise(widths[::-1]):
        layers += [nn.ConvTranspose2d(before, after, k, 2, 1, k % 2), InstanceNorm(), nn.ReLU()]
    return nn.Sequential(*layers, conv(widths[0], channels, cfg.g_kernel))


def present(masks):
    """Return which instances there are, float (N, K): a mask that is -1 everywhere is none."""
    return (masks > -1).flatten(2).any(2).float()


def encode_set(net, masks):
    """Return the features of each mask, and their sum over the instances that there are.

    Parameters
    ----------
    net : Module
        (M, 1, H, W) to (M, C, h, w).
    masks : Tensor, (N, K, H, W)
        In [-1, 1].

    Returns
    -------
    each : Tensor, (N, K, C, h, w)
        Features of what is no instance are 0.
    total : Tensor, (N, C, h, w)
        It depends neither on the order of the masks nor on empty ones.
    """
    each = net(masks.flatten(0, 1)[:, None]).unflatten(0, masks.shape[:2])
    each = each * present(masks)[:, :, None, None, None]
    return each, each.sum(1)


def unsquash(x):
    """Return atanh(0.97 x): without the factor it would be infinite at -1 and 1."""
    return torch.atanh(0.97 * x.float().clamp(-1, 1))


def outside(*masks):
    """Return where no instance is, (N, 1, H, W): 1 minus the union of all masks.

    Parameters
    ----------
    *masks : Tensor, (N, K, H, W)
        In [-1, 1].

    Returns
    -------
    Tensor, (N, 1, H, W)
        1 outside of all instances, 0 inside of one.
    """
    union = ((torch.cat(masks, 1) + 1) / 2).sum(1, keepdim=True)
    return 1 - union.clamp(0, 1)


class Generator(nn.Module):
    """A picture and the masks of its instances in, those of the other domain out (figure 2).

    Parameters
    ----------
    cfg : Config
    direction : {"AB", "BA"}
    """

    def __init__(self, cfg, direction="AB"):
        super().__init__()
        ends = (cfg.channels_A, cfg.channels_B)
        first, last = ends if choose("direction", direction, DIRECTIONS) == "AB" else ends[::-1]
        self.encode_image, self.encode_mask = encoder(cfg, first), encoder(cfg, 1)
        self.decode_image, self.decode_mask = decoder(cfg, 2, last), decoder(cfg, 3, 1)
        self.skip = cfg.g_skip

    def forward(self, x, masks):
        """Translate pictures x, (N, C, H, W), with their masks, (N, K, H, W), all in [-1, 1].

        Both come back in the same form. The masks of what is no instance stay -1.
        """
        h = self.encode_image(x)  # (N, C', H', W')
        each, total = encode_set(self.encode_mask, masks)  # (N, K, C', H', W'), (N, C', H', W')
        y = self.decode_image(torch.cat([h, total], 1))
        shared = torch.cat([h, total], 1)[:, None].expand(-1, masks.shape[1], -1, -1, -1)
        each = self.decode_mask(torch.cat([each, shared], 2).flatten(0, 1))  # (N K, 1, H, W)
        each, y = each.view_as(masks).float(), y.float()  # in bf16, tanh is -1 from -3 on
        if self.skip:
            each, y = each + unsquash(masks), y + outside(masks) * unsquash(x)
        there = present(masks)[:, :, None, None] > 0
        return torch.tanh(y), torch.where(there, torch.tanh(each), -1.0)


class Discriminator(nn.Module):
    """A PatchGAN: a picture of domain "A" or "B" and its masks in, a number for each patch out.

    Parameters
    ----------
    cfg : Config
    domain : {"A", "B"}
    """

    def __init__(self, cfg, domain="B"):
        super().__init__()
        channels, ndf = getattr(cfg, f"channels_{domain}"), cfg.ndf
        self.of_image, self.of_mask = self._layers(cfg, channels), self._layers(cfg, 1)
        before, after = (2 * ndf * min(2**i, 8) for i in (cfg.d_layers - 1, cfg.d_layers))
        self.judge = nn.Sequential(
            spectral_norm(nn.Conv2d(before, after, 4, 1, 1)),
            InstanceNorm(),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(after, 1, 4, 1, 1)),
        )

    @staticmethod
    def _layers(cfg, channels):
        widths, layers = [channels, *(cfg.ndf * min(2**i, 8) for i in range(cfg.d_layers))], []
        for i, (before, after) in enumerate(pairwise(widths)):
            layers.append(spectral_norm(nn.Conv2d(before, after, 4, 2, 1)))
            layers += [*[InstanceNorm()] * (i > 0), nn.LeakyReLU(0.2)]
        return nn.Sequential(*layers)

    def forward(self, x, masks):
        """Return a number for each patch, (N, h, w), of x, (N, C, H, W), and its masks."""
        _, total = encode_set(self.of_mask, masks)
        return self.judge(torch.cat([self.of_image(x), total], 1)).squeeze(1)


def mean_of(values):
    """Return the mean of each picture's numbers, (N,)."""
    return values.flatten(1).mean(1)


def d_loss(real_logits, fake_logits):
    """Return what one D minimises, for each picture: ((D(b) - 1)^2 + D(G(a))^2) / 2.

    Parameters
    ----------
    real_logits, fake_logits : Tensor, (N, h, w)

    Returns
    -------
    Tensor, (N,)
    """
    return (mean_of((real_logits - 1).square()) + mean_of(fake_logits.square())) / 2


def g_loss(fake_logits):
    """Return the adversarial part of G's loss for each picture: (D(G(a)) - 1)^2, (N,)."""
    return mean_of((fake_logits - 1).square())


def distance(x, masks, y, masks_y):
    """Return the L1 distance of two pictures with their masks, (N,): cycle and identity loss.

    Pictures and masks count by their number of channels, as in the authors' code.
    """
    return mean_of((torch.cat([x, masks], 1) - torch.cat([y, masks_y], 1)).abs())


def context_loss(x, masks, y, masks_y):
    """Return how much changes outside of the instances, (N,): w |x - y|_1 (section 2.2)."""
    return mean_of(outside(masks, masks_y) * (x - y).abs())


def largest(masks, n):
    """Return the n largest masks of each picture, the largest first, (N, n, H, W).

    The result does not depend on the order of the masks: of two that are equally large, the one
    that lies higher in the picture comes first. If there are fewer than n, -1 fills the rest.
    """
    pixels = masks.shape[2] * masks.shape[3]
    inside = (masks > 0).flatten(2).long()
    size = inside.sum(2)
    place = (inside * torch.arange(pixels, device=masks.device)).sum(2) // size.clamp(min=1)
    order = (size * pixels - place).argsort(dim=1, descending=True, stable=True)[:, :n]
    chosen = masks.gather(1, order[:, :, None, None].expand(-1, -1, *masks.shape[2:]))
    return padded(chosen, n)


def padded(masks, n):
    """Return masks, (N, K, H, W), followed by empty ones, so that there are n."""
    return F.pad(masks, (0, 0, 0, 0, 0, n - masks.shape[1]), value=-1.0)


def apart(both, n):
    """Return the pictures and the n masks that were put together as channels."""
    return both[:, :-n], both[:, -n:]


def inputs(cfg):
    """Return the fields that a batch has for this configuration, by name."""
    fields, size = {}, cfg.image_size
    for side in "AB":
        count = getattr(cfg, f"instances_{side}")
        things = tuple(f"instance {k}" for k in range(1, count + 1))
        shape = (getattr(cfg, f"channels_{side}"), size, size)
        fields |= {f"real_{side}": Pictures(shape=shape)}
        fields |= {f"masks_{side}": Masks(things=things, size=size)}
    return fields


def configure(preset, fields):
    """Return a preset's configuration, fitted to the fields of a data set."""
    found = {f"channels_{side}": fields[f"real_{side}"].channels for side in "AB"}
    found |= {f"instances_{side}": len(fields[f"masks_{side}"].things) for side in "AB"}
    return replace(PRESETS[preset], **found)


def networks(cfg):
    """Return the untrained networks by name."""
    return {
        "netG_AB": Generator(cfg, "AB"),
        "netG_BA": Generator(cfg, "BA"),
        "netD_A": Discriminator(cfg, "A"),
        "netD_B": Discriminator(cfg, "B"),
    }


def build(cfg, run):
    """Return the four networks with their optimizers, schedules and pools.

    Parameters
    ----------
    cfg : Config
    run : Run

    Returns
    -------
    GAN
        With ``netG_AB``, ``netG_BA``, ``netD_A`` (judges domain A), ``netD_B``, ``opt_g`` and
        ``opt_d`` (of two networks each), ``schedule_g``, ``schedule_d``, ``pool_A``, ``pool_B``,
        and ``ema_AB`` and ``ema_BA`` if ``ema_decay`` is above 0.

    Raises
    ------
    CourseError
        If fields of the configuration contradict each other.
    """
    if (cfg.lambda_idt or cfg.lambda_ctx or cfg.g_skip) and cfg.channels_A != cfg.channels_B:
        raise CourseError(
            "lambda_idt, lambda_ctx and g_skip need as many channels in A as in B, not "
            f"{cfg.channels_A} and {cfg.channels_B}: set them to 0 and to False."
        )
    if 0 < cfg.pool_size < cfg.batch_size:
        raise CourseError(
            f"pool_size must be 0, or at least the batch_size, which is {cfg.batch_size}."
        )
    if cfg.ins_max % cfg.ins_per:
        raise CourseError(
            f"ins_max must be a multiple of ins_per, which is {cfg.ins_per}, not {cfg.ins_max}."
        )
    nets = networks(cfg)
    for net in nets.values():
        init_normal(net, cfg.init_std)
    gan = GAN(cfg, PUBLISHED, **{name: run.place(net) for name, net in nets.items()})
    updates = cfg.steps * (cfg.ins_max // cfg.ins_per)
    for player, names in PLAYERS.items():
        weights = [w for name in names for w in nets[name].parameters()]
        optimizer = torch.optim.Adam(weights, lr=cfg.lr, betas=cfg.betas, fused=True)
        setattr(gan, f"opt_{player.lower()}", optimizer)
    gan.schedule_g = linear_decay(gan.opt_g, updates, cfg.constant)
    gan.schedule_d = linear_decay(gan.opt_d, updates, cfg.constant)
    for side in "AB":
        pool, pixels = ImagePool(cfg.pool_size), (cfg.image_size, cfg.image_size)
        # What a checkpoint holds is compared with it: pictures with their masks as channels.
        channels = getattr(cfg, f"channels_{side}") + cfg.ins_max
        pool.images = torch.zeros(cfg.pool_size, channels, *pixels, device=run.device)
        setattr(gan, f"pool_{side}", pool)
    if cfg.ema_decay:
        gan.ema_AB = EMA(gan.netG_AB, cfg.ema_decay, gan.opt_g)
        gan.ema_BA = EMA(gan.netG_BA, cfg.ema_decay, gan.opt_g)
    return gan


def train_step(gan, batch, run):
    """Translate ``ins_per`` instances after others; update both D, then both G, after each time.

    Parameters
    ----------
    gan : GAN
    batch : dict
        ``real_A``, ``real_B``: (N, channels, image_size, image_size) in [-1, 1], unpaired.
        ``masks_A``, ``masks_B``: (N, instances, image_size, image_size), 0 or 1.
    run : Run

    Returns
    -------
    dict of str to Tensor, ()
        The losses without their weights, each the sum over both directions and the mean over the
        times.
    """
    cfg, real_A, real_B = gan.cfg, batch["real_A"], batch["real_B"]
    all_A, all_B = (largest(2 * batch[f"masks_{s}"] - 1, cfg.ins_max) for s in "AB")
    x_A, x_B, done_A, done_B, logs = real_A, real_B, all_A[:, :0], all_B[:, :0], []
    for a, b in zip(all_A.split(cfg.ins_per, 1), all_B.split(cfg.ins_per, 1), strict=True):
        has_A, has_B = present(a).amax(1), present(b).amax(1)  # (N,): others have no loss
        with run.autocast():
            fake_B, made_B = gan.netG_AB(x_A, a)
            fake_A, made_A = gan.netG_BA(x_B, b)
        fakes_A = padded(torch.cat([done_A, made_A], 1), cfg.ins_max)
        fakes_B = padded(torch.cat([done_B, made_B], 1), cfg.ins_max)

        with run.autocast():
            shown_A = gan.pool_A(torch.cat([fake_A, fakes_A], 1).detach())
            shown_B = gan.pool_B(torch.cat([fake_B, fakes_B], 1).detach())
            of_A = d_loss(gan.netD_A(real_A, all_A), gan.netD_A(*apart(shown_A, cfg.ins_max)))
            of_B = d_loss(gan.netD_B(real_B, all_B), gan.netD_B(*apart(shown_B, cfg.ins_max)))
            loss_d = (has_B * of_A + has_A * of_B).mean()
        gan.opt_d.zero_grad()
        loss_d.backward()
        gan.opt_d.step()

        gan.netD_A.requires_grad_(False)
        gan.netD_B.requires_grad_(False)
        with run.autocast():
            adv_B, adv_A = g_loss(gan.netD_B(fake_B, fakes_B)), g_loss(gan.netD_A(fake_A, fakes_A))
            back_A = distance(x_A, a, *gan.netG_BA(fake_B, made_B))
            back_B = distance(x_B, b, *gan.netG_AB(fake_A, made_A))
            terms = {"G/adv": (adv_B, adv_A), "G/cycle": (back_A, back_B)}
            if cfg.lambda_idt:
                terms["G/identity"] = (
                    distance(x_A, a, *gan.netG_BA(x_A, a)),
                    distance(x_B, b, *gan.netG_AB(x_B, b)),
                )
            if cfg.lambda_ctx:
                terms["G/context"] = (
                    context_loss(x_A, a, fake_B, made_B),
                    context_loss(x_B, b, fake_A, made_A),
                )
            terms = {n: (has_A * f + has_B * g).mean() for n, (f, g) in terms.items()}
            weights = {"G/adv": 1.0, "G/cycle": cfg.lambda_cyc, "G/identity": cfg.lambda_idt}
            weights["G/context"] = cfg.lambda_ctx
            loss_g = sum(weights[name] * term for name, term in terms.items())
        gan.opt_g.zero_grad()
        loss_g.backward()
        gan.opt_g.step()
        gan.netD_A.requires_grad_(True)
        gan.netD_B.requires_grad_(True)

        logs.append({"D/adv": loss_d.detach()} | {n: t.detach() for n, t in terms.items()})
        # The next instances are translated in the pictures as they are now.
        x_A = torch.where(has_A[:, None, None, None] > 0, fake_B, x_A).detach()
        x_B = torch.where(has_B[:, None, None, None] > 0, fake_A, x_B).detach()
        done_A = torch.cat([done_A, made_A.detach()], 1)
        done_B = torch.cat([done_B, made_B.detach()], 1)
    return {name: torch.stack([log[name] for log in logs]).mean() for name in logs[0]}


@torch.no_grad()
def translate(gan, x, masks, direction="AB"):
    """Translate all instances of pictures, ``ins_per`` at a time, the largest first.

    Parameters
    ----------
    gan : GAN
    x : Tensor, (N, C, H, W)
        Of the first domain, in [-1, 1]; H and W are multiples of 2 ** g_downs.
    masks : Tensor, (N, K, H, W)
        0 or 1, for any number K of instances. Instances that are left out stay as they are, as far
        as G has learned to leave them.
    direction : {"AB", "BA"}

    Returns
    -------
    y : Tensor, (N, C, H, W)
        In [-1, 1]. A picture without an instance stays as it is.
    made : Tensor, (N, K, H, W)
        The new masks, in [0, 1], the largest of those before first.

    Raises
    ------
    CourseError
        If the shapes do not fit.
    """
    choose("direction", direction, DIRECTIONS)
    channels, stride = getattr(gan.cfg, f"channels_{direction[0]}"), 2**gan.cfg.g_downs
    if x.ndim != 4 or x.shape[1] != channels or any(side % stride for side in x.shape[2:]):
        raise CourseError(
            f"pictures must have the shape (N, {channels}, H, W), H and W multiples of {stride}, "
            f"not {tuple(x.shape)}"
        )
    if masks.ndim != 4 or (len(masks), *masks.shape[2:]) != (len(x), *x.shape[2:]):
        raise CourseError(
            f"masks must have the shape ({len(x)}, instances, {x.shape[2]}, {x.shape[3]}), not "
            f"{tuple(masks.shape)}"
        )
    with sampling(gan, f"netG_{direction}") as netG:
        x, masks = (value.float().to(device_of(netG)) for value in (x, masks))
        made = []
        for some in largest(2 * masks - 1, masks.shape[1]).split(gan.cfg.ins_per, 1):
            y, after = netG(x, some)
            x = torch.where(present(some).amax(1)[:, None, None, None] > 0, y, x)
            made.append(after)
    return x, (torch.cat(made, 1) + 1) / 2


def sample(gan, n=None, *, real_A=None, masks_A=None, real_B=None, masks_B=None, seed=0):
    """Translate the instances of pictures of one domain into those of the other.

    Parameters
    ----------
    gan : GAN
    n : int, optional
        Not used: there is one output for each picture.
    real_A, real_B : Tensor, (N, channels_A or channels_B, H, W)
        One of the two, in [-1, 1].
    masks_A, masks_B : Tensor, (N, K, H, W)
        The instances of these pictures, 0 or 1.
    seed : int
        Not used: nothing is drawn at random.

    Returns
    -------
    Tensor, (N, channels_B or channels_A, H, W)
        In [-1, 1]. :func:`translate` returns the new masks, too.

    Raises
    ------
    CourseError
        If pictures or masks of both or of neither domain are given, or the shapes do not fit.
    """
    given = [value is not None for value in (real_A, masks_A, real_B, masks_B)]
    if given not in ([True, True, False, False], [False, False, True, True]):
        raise CourseError("give either real_A and masks_A, or real_B and masks_B.")
    if given[0]:
        return translate(gan, real_A, masks_A, "AB")[0]
    return translate(gan, real_B, masks_B, "BA")[0]
