"""StarGAN: one generator for all domains; the target domain is an input.

Choi et al. 2018, arXiv:1711.09020. What differs from the CycleGAN: the target labels are an input
of G beside the picture. So one G and one D serve every pair of domains, and the same G translates
back, with the original labels. D also classifies the domain. The adversarial loss is the
Wasserstein loss with a gradient penalty. A mask vector makes it possible to train one G on data
sets with different labels.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import nn

from gancourse.errors import CourseError, choose
from gancourse.fields import Classes, Flags, LabelKind, Pictures
from gancourse.files.schema import (
    Amount,
    Channels,
    Count,
    Few,
    Finite,
    Listed,
    PerLayer,
    Share,
    Side,
    Width,
)
from gancourse.gans.blocks import device_of, sampling
from gancourse.training.ema import EMA
from gancourse.training.gan import GAN
from gancourse.training.schedules import linear_decay

TAKES = {"real": Pictures, "labels": Flags, "source": Classes}
SAMPLES = {"real": ("real", "labels")}
PLAYERS = {"D": ("netD",), "G": ("netG",)}
PUBLISHED = ("netG",)
STAGES = {"train_step": "steps"}


@dataclass(frozen=True, kw_only=True)
class Config:
    """The hyperparameters; the defaults are the paper's, for CelebA.

    What the paper leaves open is as in the authors' code, github.com/yunjey/stargan. Joint
    training with RaFD (section 3.2): ``label_kinds=("attributes", "classes")``, sizes (5, 8).
    """

    image_size: Side = 128  # pixels; a multiple of 2 ** g_downs and 2 ** d_layers (section 5.2)
    image_channels: Channels = 3  # 3 for colour, 1 for grey
    label_kinds: Listed[LabelKind] = ("attributes",)  # "attributes": any hold; "classes": one
    label_sizes: PerLayer = (5,)  # labels in each set; CelebA: black, blond, brown, gender, age
    ngf: Width = 64  # channels of G's first layer; each layer down doubles them (table 4)
    g_downs: Few = 2  # layers of G that halve the side, and as many that double it (table 4)
    g_blocks: Few = 6  # residual blocks in the middle of G (table 4)
    g_kernel: Few = 7  # pixels, of G's first and last layer (table 4)
    g_skip: bool = False  # G adds its input to its output: it need not learn to copy
    g_mask: bool = False  # G also says, for each pixel, how much of its drawing replaces the input
    ndf: Width = 64  # channels of D's first layer; each later layer doubles them (table 5)
    d_layers: Few = 6  # layers of D before its outputs; each halves the side (table 5)
    d_slope: Finite = 0.01  # slope of D's LeakyReLU below zero (section 7.2)
    d_he: bool = False  # D's weights start from He's distribution, which is wider than PyTorch's
    lambda_cls: Amount = 1.0  # weight of the domain classification loss (section 3.1)
    lambda_rec: Amount = 10.0  # weight of the reconstruction loss (section 3.1)
    lambda_gp: Amount = 10.0  # weight of the gradient penalty (section 4)
    lambda_slope: Amount = 0.0  # weight of the R1 penalty on D_cls; none in the paper
    clip: Amount = 0.0  # above 0: D's weights are clipped to +-clip, in place of lambda_gp (WGAN)
    n_critic: Count = 5  # updates of D for each update of G (section 5.3)
    lr_g: Amount = 1e-4  # Adam's step size for G (section 5.3)
    lr_d: Amount = 1e-4  # the same for D
    betas: tuple[Share, Share] = (0.5, 0.999)  # Adam's decay rates (section 5.3)
    decay_from: Share = 0.5  # share of the steps before both step sizes fall linearly to 0
    ema_decay: Share = 0.0  # decay of the average of G's weights, which sample() uses; 0: none
    batch_size: Count = 16  # pictures (section 5.3)
    steps: Count = 200_000  # updates of D (num_iters in the authors' code)


# Smaller, with few steps, each of which updates G; the paper's five updates of D for each one of G
# were not compared at this length. The R1 penalty keeps D from classifying by a few pixels. With
# the mask, G need not learn to copy, and what it should leave alone has a quarter of the error that
# it has with the skip (moods, 300 steps). The faces have two label sets: eight attributes, and six
# expressions.
_LAPTOP = Config(
    image_size=32,
    label_kinds=("attributes", "classes"),
    label_sizes=(8, 6),
    ngf=16,
    g_blocks=2,
    g_kernel=3,
    g_mask=True,
    ndf=16,
    d_layers=4,
    d_he=True,
    lambda_slope=0.5,
    n_critic=1,
    lr_g=2e-3,
    lr_d=1e-3,
    ema_decay=0.99,
    steps=1_000,
)

PRESETS = {
    "smoke": replace(_LAPTOP, ngf=4, g_blocks=1, ndf=4, n_critic=2, batch_size=8, steps=10),
    "laptop": _LAPTOP,
    # The published numbers, with two differences: the authors mirror pictures at random, and their
    # label sets alternate from step to step, where ours share a batch. The step sizes fall to 0 as
    # in the paper; in the authors' code they fall by 0.1 % in all.
    "paper": Config(),
}


class Residual(nn.Module):
    """A residual block: two convolutions whose result is added to their input."""

    def __init__(self, width):
        super().__init__()
        conv1, conv2 = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        norm1, norm2 = (nn.InstanceNorm2d(width, affine=True) for _ in range(2))
        self.body = nn.Sequential(conv1, norm1, nn.ReLU(), conv2, norm2)

    def forward(self, x):
        """Return x, (N, width, H, W), plus the result of both convolutions."""
        return x + self.body(x)


class Generator(nn.Module):
    """A picture and its target labels in, the translated picture out (table 4)."""

    def __init__(self, cfg):
        super().__init__()
        self.label_sizes, self.g_skip, self.g_mask = tuple(cfg.label_sizes), cfg.g_skip, cfg.g_mask
        sets, k, width = len(cfg.label_sizes), cfg.g_kernel, cfg.ngf
        planes = sum(cfg.label_sizes) + (sets if sets > 1 else 0)

        def normed(conv):
            return [conv, nn.InstanceNorm2d(conv.out_channels, affine=True), nn.ReLU()]

        first = nn.Conv2d(cfg.image_channels + planes, width, k, padding=k // 2, bias=False)
        layers = normed(first)  # (N, ngf, H, W)
        for _ in range(cfg.g_downs):
            layers += normed(nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False))  # half the side
            width *= 2
        layers += [Residual(width) for _ in range(cfg.g_blocks)]  # paper: (N, 256, 32, 32)
        for _ in range(cfg.g_downs):
            layers += normed(nn.ConvTranspose2d(width, width // 2, 4, 2, 1, bias=False))
            width //= 2
        channels = cfg.image_channels + cfg.g_mask
        layers += [nn.Conv2d(width, channels, k, padding=k // 2, bias=False)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x, c, source):
        """Translate pictures to target labels.

        Parameters
        ----------
        x : Tensor, (N, C, H, W)
            In [-1, 1].
        c : Tensor of 0 and 1, (N, total labels)
        source : int64 Tensor, (N,)
            The label set whose labels are the target; G ignores those of the others.

        Returns
        -------
        Tensor, (N, C, H, W)
            In [-1, 1].
        """
        if len(self.label_sizes) > 1:
            m = F.one_hot(source, len(self.label_sizes)).to(c.dtype)  # the mask vector, (N, sets)
            sets = zip(c.split(self.label_sizes, 1), m.split(1, 1), strict=True)
            c = torch.cat([*(c_i * m_i for c_i, m_i in sets), m], 1)  # equation 7
        planes = c.to(x.dtype)[:, :, None, None].expand(-1, -1, *x.shape[2:])
        y = self.layers(torch.cat([x, planes], 1)).float()  # (N, C, H, W); with g_mask C + 1
        if self.g_mask:
            share = torch.sigmoid(y[:, -1:])  # 0: the pixel stays exactly as it is
            return torch.lerp(x.float(), torch.tanh(y[:, :-1]), share)
        if self.g_skip:
            # Where the layers return 0, G returns 0.97 x, nearly its input: atanh(1) is infinite.
            y = y + torch.atanh(0.97 * x.float().clamp(-1, 1))
        return torch.tanh(y)


class Discriminator(nn.Module):
    """A picture in, two outputs: D_src, a number for each patch; D_cls, a logit for each label."""

    def __init__(self, cfg):
        super().__init__()
        self.slope = cfg.d_slope
        widths = [cfg.image_channels, *(cfg.ndf << i for i in range(cfg.d_layers))]
        self.convs = nn.ModuleList(
            nn.Conv2d(widths[i], widths[i + 1], 4, 2, 1) for i in range(cfg.d_layers)
        )
        for conv in self.convs if cfg.d_he else ():
            nn.init.kaiming_normal_(conv.weight, cfg.d_slope)
        side = cfg.image_size >> cfg.d_layers
        self.real_head = nn.Conv2d(widths[-1], 1, 3, padding=1, bias=False)
        self.label_head = nn.Conv2d(widths[-1], sum(cfg.label_sizes), side, bias=False)

    def forward(self, x):
        """Return D_src, (N, h, w), and D_cls, (N, total labels), of pictures x, (N, C, H, W)."""
        for conv in self.convs:
            x = F.leaky_relu(conv(x), self.slope)  # (N, ndf, 2 ndf, ..., half the side)
        return self.real_head(x).squeeze(1), self.label_head(x).flatten(1)


def d_loss(real_logits, fake_logits):
    """Return what D minimises: minus equation 8, without the penalty.

    It is minus D's estimate of the Wasserstein distance.

    Parameters
    ----------
    real_logits, fake_logits : Tensor, (N, h, w)
        D_src of real and of fake pictures.

    Returns
    -------
    Tensor, ()
    """
    return fake_logits.mean() - real_logits.mean()


def g_loss(fake_logits):
    """Return the adversarial part of G's loss: minus the mean of D_src of fakes, (N, h, w)."""
    return -fake_logits.mean()


def gradient_penalty(netD, real, fake):
    """Return the gradient penalty of equation 8.

    It is the mean of (|gradient of D_src| - 1)^2 at x_hat, a random point of the line between a
    real picture and its fake. D_src is summed over all patches, as in the authors' code.

    Parameters
    ----------
    netD : Discriminator
    real, fake : Tensor, (N, C, H, W)

    Returns
    -------
    Tensor, ()
    """
    alpha = torch.rand(len(real), 1, 1, 1, device=real.device)
    x_hat = torch.lerp(fake.float(), real.float(), alpha).requires_grad_()
    (gradient,) = torch.autograd.grad(netD(x_hat)[0].sum(), x_hat, create_graph=True)
    norm = torch.linalg.vector_norm(gradient.flatten(1), dim=1, dtype=torch.float32)  # (N,)
    return (norm - 1).square().mean()


def slope_penalty(loss, real):
    """Return the R1 penalty on D_cls: the mean of |gradient|^2 of each picture's class loss.

    Mescheder et al. 2018 (arXiv:1801.04406) use it for D_src.

    Parameters
    ----------
    loss : Tensor, ()
        The mean class loss of the pictures.
    real : Tensor, (N, C, H, W)
        The pictures, with ``requires_grad``.

    Returns
    -------
    Tensor, ()
    """
    (gradient,) = torch.autograd.grad(len(real) * loss, real, create_graph=True)
    return gradient.float().square().flatten(1).sum(1).mean()


def class_loss(class_logits, labels, source, kinds, sizes):
    """Return the domain classification loss, equation 2 or 3, of the known label sets.

    Parameters
    ----------
    class_logits, labels : Tensor, (N, total labels)
    source : int64 Tensor, (N,)
        The label set that is known of each picture; the logits of others get no gradient.
    kinds, sizes : tuple
        ``label_kinds`` and ``label_sizes`` of the Config.

    Returns
    -------
    Tensor, ()
        In nats, the mean over pictures; binary cross-entropies are summed over a set's attributes.
    """
    total = 0
    sets = zip(class_logits.float().split(sizes, 1), labels.split(sizes, 1), kinds, strict=True)
    for i, (logits, c, kind) in enumerate(sets):
        if kind == "attributes":
            each = F.binary_cross_entropy_with_logits(logits, c, reduction="none").sum(1)
        else:
            each = F.cross_entropy(logits, c, reduction="none")
        total = total + each.where(source == i, 0).sum()
    return total / len(labels)


def shuffled(source):
    """Return a random permutation of pictures, (N,), that keeps each within its label set."""
    # source.argsort lists the pictures set by set. The second argsort does so too, but in random
    # order within a set, given by the fraction. The pictures at one place of both lists are of the
    # same set. The fraction is below 1/2, so that it cannot round up to the next set's number.
    fraction = torch.rand(len(source), device=source.device) / 2
    order = torch.empty_like(source)
    order[source.argsort(stable=True)] = (source + fraction).argsort()
    return order


def inputs(cfg):
    """Return the fields that a batch has for this configuration, by name."""
    sets = zip(cfg.label_kinds, cfg.label_sizes, strict=True)
    return {
        "real": Pictures(shape=(cfg.image_channels, cfg.image_size, cfg.image_size)),
        "labels": Flags(sets=tuple((kind, tuple(map(str, range(n)))) for kind, n in sets)),
        "source": Classes(count=len(cfg.label_sizes)),
    }


def configure(preset, fields):
    """Return a preset's configuration, fitted to the fields of a data set."""
    real, labels = fields["real"], fields["labels"]
    return replace(
        PRESETS[preset],
        image_channels=real.channels,
        label_kinds=labels.kinds,
        label_sizes=labels.sizes,
    )


def networks(cfg):
    """Return the untrained networks by name."""
    return {"netG": Generator(cfg), "netD": Discriminator(cfg)}


def build(cfg, run):
    """Return the two players with their optimizers and schedules.

    Parameters
    ----------
    cfg : Config
    run : Run

    Returns
    -------
    GAN
        With ``netG``, ``netD``, ``opt_g``, ``opt_d``, ``schedule_g``, ``schedule_d``, and ``ema``
        if ``ema_decay`` is above 0.

    Raises
    ------
    CourseError
        If the label sets contradict each other, ``image_size`` does not fit the networks, or G
        has both ``g_skip`` and ``g_mask``.
    """
    for kind in cfg.label_kinds:
        choose("label kind", kind, ("attributes", "classes"))
    if cfg.g_skip and cfg.g_mask:
        raise CourseError("g_skip and g_mask are two ways to keep the input: set one of them.")
    kinds, sizes, multiple = cfg.label_kinds, cfg.label_sizes, 2 ** max(cfg.g_downs, cfg.d_layers)
    if len(kinds) != len(sizes):
        raise CourseError(
            "each label set needs a kind and a size, but label_kinds and label_sizes are "
            f"{kinds} and {sizes}."
        )
    if cfg.image_size % multiple:
        raise CourseError(f"image_size must be a multiple of {multiple}, not {cfg.image_size}.")

    netG, netD = networks(cfg).values()
    netG = run.place(netG)
    netD = replace(run, compile=False).place(netD)  # penalties need second derivatives
    gan = GAN(cfg, PUBLISHED, netG=netG, netD=netD)
    gan.opt_g = torch.optim.Adam(netG.parameters(), lr=cfg.lr_g, betas=cfg.betas, fused=True)
    gan.opt_d = torch.optim.Adam(netD.parameters(), lr=cfg.lr_d, betas=cfg.betas, fused=True)
    updates = -(-cfg.steps // cfg.n_critic)  # of G, which the first step of each round updates
    gan.schedule_g = linear_decay(gan.opt_g, updates, cfg.decay_from)
    gan.schedule_d = linear_decay(gan.opt_d, cfg.steps, cfg.decay_from)
    if cfg.ema_decay:
        gan.ema = EMA(netG, cfg.ema_decay, gan.opt_g)
    return gan


def train_step(gan, batch, run):
    """Update D once, and G in the first of every ``n_critic`` steps.

    Parameters
    ----------
    gan : GAN
    batch : dict
        ``real``: (N, image_channels, image_size, image_size) in [-1, 1]; ``labels``: 0 or 1,
        float (N, total labels); ``source``: int64 (N,), the set whose labels are known.
    run : Run

    Returns
    -------
    dict of str to Tensor, ()
        The losses without their weights; those of G only in steps that update G.
    """
    cfg, real, c_org, source = gan.cfg, batch["real"], batch["labels"], batch["source"]
    sets = (source, cfg.label_kinds, cfg.label_sizes)
    c_trg = c_org[shuffled(source)]  # another picture's labels: a combination that occurs
    update_g = gan.step % cfg.n_critic == 0
    with run.autocast():
        with torch.set_grad_enabled(update_g):
            fake = gan.netG(real, c_trg, source)  # used by both players
        x = real.detach().requires_grad_(cfg.lambda_slope > 0)
        real_logits, class_logits = gan.netD(x)
        fake_logits, _ = gan.netD(fake.detach())
        adv_d = d_loss(real_logits, fake_logits)
        cls_d = class_loss(class_logits, c_org, *sets)  # of real pictures only
        loss_d = adv_d + cfg.lambda_cls * cls_d
        if cfg.lambda_slope:
            loss_d = loss_d + cfg.lambda_slope * slope_penalty(cls_d, x)
        losses = {"D/adv": adv_d.detach(), "D/cls": cls_d.detach()}
        if not cfg.clip:
            penalty = gradient_penalty(gan.netD, real, fake.detach())
            loss_d = loss_d + cfg.lambda_gp * penalty
            losses["D/gp"] = penalty.detach()
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()
    if cfg.clip:
        with torch.no_grad():
            for weight in gan.netD.parameters():
                weight.clamp_(-cfg.clip, cfg.clip)

    if update_g:
        gan.netD.requires_grad_(False)
        with run.autocast():
            x_rec = gan.netG(fake, c_org, source)
            fake_logits, class_logits = gan.netD(fake)
            adv_g = g_loss(fake_logits)
            cls_g = class_loss(class_logits, c_trg, *sets)
            rec_g = F.l1_loss(x_rec, real)
            loss_g = adv_g + cfg.lambda_cls * cls_g + cfg.lambda_rec * rec_g
        gan.opt_g.zero_grad()
        loss_g.backward()
        gan.opt_g.step()
        gan.netD.requires_grad_(True)
        losses |= {"G/adv": adv_g.detach(), "G/cls": cls_g.detach(), "G/rec": rec_g.detach()}

    return losses


@torch.no_grad()
def sample(gan, n=None, *, real, labels, seed=0):
    """Translate pictures to other labels, with the averaged generator if there is one.

    Parameters
    ----------
    gan : GAN
    n : int, optional
        Not used: there is one output for each row of ``real``.
    real : Tensor, (N, image_channels, image_size, image_size)
        In [-1, 1].
    labels : Tensor, (N, total labels)
        The target labels. A picture with a 1 in several label sets is translated to one set
        after the other. A row of zeros is a target in the first set: none of its labels holds.
    seed : int
        Not used: nothing is drawn at random.

    Returns
    -------
    Tensor, (N, image_channels, image_size, image_size)
        In [-1, 1].
    """
    asked = torch.stack([part.ne(0).any(1) for part in labels.split(gan.cfg.label_sizes, 1)])
    asked[0] |= ~asked.any(0)
    with sampling(gan) as netG:
        device = device_of(netG)
        images, labels = real.to(device), labels.to(device)
        for i, rows in enumerate(asked):
            if rows.any():
                source = torch.full((len(rows),), i, device=device)
                rows = rows[:, None, None, None].to(device)
                images = torch.where(rows, netG(images, labels, source), images)
        return images
