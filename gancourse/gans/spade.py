"""SPADE (GauGAN): a semantic map in, a picture out; the map steers every normalisation of G.

Park et al. 2019, arXiv:1903.07291. What differs from BicycleGAN: the condition is the class of each
pixel, and it is no input of G's first layer. After each batch norm of G, two small convolutions
turn the map into a scale and a shift for every channel at every place. G starts from a style z,
which an encoder reads from a picture, without a cycle from z to z.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from gancourse.errors import CourseError
from gancourse.fields import Map, Pictures
from gancourse.files.schema import Amount, Channels, Count, Few, PerLayer, Share, Side, Width
from gancourse.gans.blocks import device_of, draw_rows, sampling
from gancourse.training.ema import EMA
from gancourse.training.gan import GAN
from gancourse.training.schedules import linear_decay

TAKES = {"real": Pictures, "map": Map}
SAMPLES = {"real": ("map", "z")}
PLAYERS = {"D": ("netD",), "G": ("netG", "netE")}
PUBLISHED = ("netG", "netE")
STAGES = {"train_step": "steps"}
FROZEN = {"features": "judge:emoji"}  # unless the Config says another one


@dataclass(frozen=True, kw_only=True)
class Config:
    """The hyperparameters; the defaults are the paper's for COCO-Stuff, with the style encoder.

    What the paper leaves open is as in the authors' code, github.com/NVlabs/SPADE.
    """

    image_size: Side = 256  # pixels; `g_start` times a power of 2 (section 4)
    channels: Channels = 3  # of the pictures: 3 for colour, 1 for grey
    num_classes: Width = 184  # of the map: 182 kinds, unknown, and the edges between instances
    style: bool = True  # whether G starts from z; False: from the map at g_start by g_start pixels
    latent_dim: Width = 256  # numbers in z (appendix A)
    g_channels: PerLayer = (1024, 1024, 1024, 512, 256, 128, 64)  # of G's residual blocks
    g_start: Side = 8  # side of the grid that G starts from, in pixels
    g_hidden: Width = 128  # channels of the layer between the map and scale and shift (appendix A)
    e_channels: PerLayer = (64, 128, 256, 512, 512, 512)  # of E's layers, each of stride 2
    ndf: Width = 64  # channels of D's first layer; each further one doubles them, up to 8 ndf
    d_layers: Few = 4  # convolutions of D before the one that scores; all but the last of stride 2
    d_scales: Few = 2  # D judges the picture, and again at half the side
    lambda_feat: Amount = 10.0  # weight of the distance of D's features
    lambda_vgg: Amount = 10.0  # weight of the distance of a frozen network's features
    features: Literal["judge:emoji", "vgg19"] = "vgg19"  # that network
    lambda_kl: Amount = 0.05  # weight of the divergence of q(z|x) from N(0, 1)
    lr_g: Amount = 1e-4  # Adam's step size for G and E (section 4)
    lr_d: Amount = 4e-4  # the same for D
    betas: tuple[Share, Share] = (0.0, 0.999)  # Adam's decay rates (section 4)
    constant: Share = 0.5  # share of the steps before both fall linearly to 0, as for ADE20K
    init_gain: Amount = 0.02  # weights start from Xavier's normal distribution times this
    ema_decay: Share = 0.0  # decay of the averages of G and E, which sample() uses; 0: none
    batch_size: Count = 32  # pictures with their maps (section 4)
    steps: Count = 370_000  # updates of each player: 100 epochs of 118,000 pictures


# Few steps at 32x32 pixels, without a perceptual loss: D alone says how near a picture is.
_LAPTOP = Config(
    image_size=32,
    num_classes=11,
    latent_dim=2,  # a plane to look at
    g_channels=(96, 64, 32, 16),
    g_start=4,
    g_hidden=16,
    e_channels=(16, 32, 48),
    ndf=16,
    d_layers=3,
    lambda_vgg=0.0,
    features="judge:emoji",
    lr_g=2e-3,
    lr_d=2e-3,
    betas=(0.0, 0.99),
    init_gain=1.0,
    ema_decay=0.98,
    batch_size=8,
    steps=300,
)

PRESETS = {
    "smoke": replace(
        _LAPTOP,
        g_channels=(16, 16, 8, 8),
        g_hidden=8,
        e_channels=(8, 8, 16),
        ndf=8,
        d_layers=2,
        batch_size=4,
        steps=4,
    ),
    "laptop": _LAPTOP,
    # The published numbers. Paper and authors' code differ in Adam's second decay rate, 0.999 and
    # 0.9: ours is the paper's. The code sums the divergence over the pictures of a batch, so that
    # its weight would depend on the batch's size: ours is the mean. The code appends the edges
    # between instances to the map as a channel of its own: our maps have one class for each pixel,
    # of which the edges would be the last. The perceptual loss compares the last feature map of
    # each of VGG19's five blocks, the code's the first. The paper has spectral norm on all layers;
    # here it is on those of G's blocks, of E and of D that a norm precedes or follows. D is updated
    # before G, as in the lessons before.
    "paper": Config(),
}


class InstanceNorm(nn.Module):
    """Instance normalisation: each channel of each picture gets mean 0 and variance 1."""

    def forward(self, x):
        """Normalise x, (N, C, H, W), by group norm with C groups: much faster in bf16 on a CPU."""
        return F.group_norm(x.contiguous(), x.shape[1])


class SPADE(nn.Module):
    """Spatially-adaptive normalisation: batch norm, scaled and shifted as the map says (section 3).

    Parameters
    ----------
    channels, classes, hidden : int
        Of what is normalised, of the map, and of the layer between the map and scale and shift.
    """

    def __init__(self, channels, classes, hidden):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.shared = nn.Conv2d(classes, hidden, 3, padding=1)
        self.modulate = nn.Conv2d(hidden, 2 * channels, 3, padding=1)

    def forward(self, h, m):
        """Return (N, channels, H, W) for h of that shape and a one-hot map m of any size."""
        m = F.interpolate(m, h.shape[2:], mode="nearest")  # (N, classes, H, W), still 0 and 1
        gamma, beta = self.modulate(F.relu(self.shared(m))).chunk(2, 1)
        return self.norm(h) * (1 + gamma) + beta


class ResBlock(nn.Module):
    """A residual block whose norms are SPADE; the shortcut is learned where channels change."""

    def __init__(self, before, after, cfg):
        super().__init__()
        given, middle = (cfg.num_classes, cfg.g_hidden), min(before, after)
        self.norms = nn.ModuleList([SPADE(before, *given), SPADE(middle, *given)])
        self.convs = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 3, padding=1))
            for a, b in ((before, middle), (middle, after))
        )
        self.shortcut = None
        if before != after:
            self.shortcut = spectral_norm(nn.Conv2d(before, after, 1, bias=False))
            self.shortcut_norm = SPADE(before, *given)

    def forward(self, h, m):
        """Return (N, after, H, W) for h, (N, before, H, W), and a one-hot map."""
        x = h if self.shortcut is None else self.shortcut(self.shortcut_norm(h, m))
        for norm, conv in zip(self.norms, self.convs, strict=True):
            h = conv(F.leaky_relu(norm(h, m), 0.2))
        return x + h


class Generator(nn.Module):
    """A semantic map and a style z in, a picture out.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        side, widths, doublings = cfg.g_start, cfg.g_channels, 0
        while side < cfg.image_size:
            side, doublings = 2 * side, doublings + 1
        if side != cfg.image_size or not 0 < doublings < len(widths):
            raise CourseError(
                f"image_size must be g_start = {cfg.g_start} times a power of 2, and g_channels "
                f"needs a block more than doublings, not {cfg.image_size} and {len(widths)} blocks."
            )
        self.classes, self.start, self.style = cfg.num_classes, cfg.g_start, cfg.style
        # The side doubles after the first block, and before each of the last ones.
        self.doubled = {1, *range(len(widths) - doublings + 1, len(widths))}
        if cfg.style:
            self.first = nn.Linear(cfg.latent_dim, widths[0] * cfg.g_start**2)
        else:
            self.first = nn.Conv2d(cfg.num_classes, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList(ResBlock(a, b, cfg) for a, b in pairwise([widths[0], *widths]))
        self.last = nn.Conv2d(widths[-1], cfg.channels, 3, padding=1)

    def forward(self, m, z):
        """Draw pictures, (N, channels, H, W) in [-1, 1], for maps, int64 (N, H, W), and styles z.

        z is (N, latent_dim); without ``style`` it isn't used.
        """
        m = F.one_hot(m, self.classes).movedim(3, 1).float()  # (N, classes, H, W)
        if self.style:
            h = self.first(z).unflatten(1, (-1, self.start, self.start))
        else:
            h = self.first(F.interpolate(m, (self.start, self.start), mode="nearest"))
        for i, block in enumerate(self.blocks):
            if i in self.doubled:
                h = F.interpolate(h, scale_factor=2.0, mode="nearest")
            h = block(h, m)  # (N, g_channels[i], side, side)
        return torch.tanh(self.last(F.leaky_relu(h, 0.2)))  # (N, channels, H, W)


class Encoder(nn.Module):
    """A picture in, the mean and the log variance of its style q(z|x) out.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        side = cfg.image_size // 2 ** len(cfg.e_channels)
        if side < 2 or cfg.image_size % 2 ** len(cfg.e_channels):
            raise CourseError(
                f"each of the {len(cfg.e_channels)} e_channels halves the side of "
                f"{cfg.image_size} pixels: 2 pixels or more must be left."
            )
        layers = []
        for before, after in pairwise([cfg.channels, *cfg.e_channels]):
            layers.append(spectral_norm(nn.Conv2d(before, after, 3, 2, 1, bias=False)))
            layers += [InstanceNorm(), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.mu, self.logvar = (
            nn.Linear(cfg.e_channels[-1] * side**2, cfg.latent_dim) for _ in range(2)
        )

    def forward(self, x):
        """Return mu and logvar, (N, latent_dim) each, for x, (N, channels, H, W)."""
        h = self.layers(x).flatten(1)
        return self.mu(h), self.logvar(h)


class Discriminator(nn.Module):
    """PatchGANs on several scales: a map and a picture in; features and scores out.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        self.classes, self.scales = cfg.num_classes, nn.ModuleList()
        widths = [cfg.ndf * min(2**n, 8) for n in range(cfg.d_layers)]
        for _ in range(cfg.d_scales):
            first = nn.Conv2d(cfg.num_classes + cfg.channels, cfg.ndf, 4, 2, 2)
            layers = [nn.Sequential(first, nn.LeakyReLU(0.2))]
            for i, (before, after) in enumerate(pairwise(widths), 2):
                stride = 2 if i < cfg.d_layers else 1
                conv = spectral_norm(nn.Conv2d(before, after, 4, stride, 2, bias=False))
                layers.append(nn.Sequential(conv, InstanceNorm(), nn.LeakyReLU(0.2)))
            layers.append(nn.Conv2d(widths[-1], 1, 4, 1, 2))
            self.scales.append(nn.ModuleList(layers))

    def forward(self, m, x):
        """Return for each scale a list of feature maps, of which the last are logits.

        m, (N, H, W), are the maps of the pictures x, (N, channels, H, W). Logits are (N, 1, h, w).
        """
        m = F.one_hot(m, self.classes).movedim(3, 1).to(x.dtype)
        x, found = torch.cat([m, x], 1), []
        for i, layers in enumerate(self.scales):
            if i:
                # Half the side. In NHWC order CUDA's gradient is wrong: pytorch/pytorch#188344.
                x = F.avg_pool2d(x.contiguous(), 3, 2, 1, count_include_pad=False)
            h, maps = x, []
            for layer in layers:
                h = layer(h)
                maps.append(h)
            found.append(maps)
        return found


def d_loss(real_logits, fake_logits):
    """Return D's hinge loss: scores of real pictures beyond 1 and of fake ones below -1 cost 0.

    Parameters
    ----------
    real_logits, fake_logits : list of Tensor, (N, 1, h, w)
        The scores of each scale.

    Returns
    -------
    Tensor, ()
        The mean over the scales of means over patches; 2 if all scores are 0.
    """
    pairs = [*zip(real_logits, fake_logits, strict=True)]
    return sum(F.relu(1 - r).mean() + F.relu(1 + f).mean() for r, f in pairs) / len(pairs)


def g_loss(fake_logits):
    """Return the adversarial part of G's loss: minus the mean score."""
    return -sum(f.mean() for f in fake_logits) / len(fake_logits)


def feature_loss(fake_features, real_features):
    """Return how far D's features of G's pictures are from those of the real ones, on average.

    Parameters
    ----------
    fake_features, real_features : list of lists of Tensor
        For each scale its feature maps; those of real pictures have no gradient.

    Returns
    -------
    Tensor, ()
        The sum over the layers of mean absolute differences, averaged over the scales.
    """
    scales = [*zip(fake_features, real_features, strict=True)]
    return sum(F.l1_loss(f, r) for pair in scales for f, r in zip(*pair, strict=True)) / len(scales)


def kl_loss(mu, logvar):
    """Return the divergence of N(mu, exp(logvar)) from N(0, 1), in nats.

    Parameters
    ----------
    mu, logvar : Tensor, (N, latent_dim)

    Returns
    -------
    Tensor, ()
        The sum over the numbers of z, and the mean over the batch.
    """
    return (mu.square() + logvar.exp() - 1 - logvar).sum(1).mean() / 2


def perceptual_loss(fake, real, phi):
    """Return how far a frozen network's feature maps of two pictures are apart.

    Parameters
    ----------
    fake, real : Tensor, (N, channels, H, W)
    phi : torch.nn.Module
        ``encode`` returns its feature maps, from the finest to the coarsest.

    Returns
    -------
    Tensor, ()
        The sum of mean absolute differences: the last map counts fully, the one before half, the
        next a quarter, and so on, but for the first, which counts half of what it would so count.
    """
    seen, wanted = (phi.encode(images.expand(-1, 3, -1, -1)) for images in (fake, real))
    far = [F.l1_loss(a, b.detach()) for a, b in zip(seen, wanted, strict=True)]
    return sum(value / 2 ** (len(far) - 1 - i) for i, value in enumerate(far))


def inputs(cfg):
    """Return the fields that a batch has for this configuration, by name."""
    names = tuple(f"class {i}" for i in range(cfg.num_classes))
    return {
        "real": Pictures(shape=(cfg.channels, cfg.image_size, cfg.image_size)),
        "map": Map(classes=names, size=cfg.image_size),
    }


def configure(preset, fields):
    """Return a preset's configuration, fitted to the fields of a data set."""
    return replace(
        PRESETS[preset],
        channels=fields["real"].channels,
        num_classes=len(fields["map"].classes),
    )


def networks(cfg):
    """Return the untrained networks by name."""
    return {"netG": Generator(cfg), "netE": Encoder(cfg), "netD": Discriminator(cfg)}


def build(cfg, run, frozen=None):
    """Return the two players with their optimizers; E moves with G.

    Parameters
    ----------
    cfg : Config
    run : Run
    frozen : dict of str to torch.nn.Module
        ``features``: the network of the perceptual loss; not needed where ``lambda_vgg`` is 0.

    Returns
    -------
    GAN
        With ``netG``, ``netE``, ``netD``, ``opt_g``, ``opt_d``, their schedules, and ``ema`` and
        ``ema_e`` if ``ema_decay`` is above 0.

    Raises
    ------
    CourseError
        If the layers do not fit the pictures.
    """
    netG, netE, netD = nets = [run.place(net) for net in networks(cfg).values()]
    for net in nets:
        for name, p in net.named_parameters():
            if p.ndim > 1:
                nn.init.xavier_normal_(p, cfg.init_gain)
            elif name.endswith("bias"):
                nn.init.zeros_(p)
    gan = GAN(cfg, PUBLISHED, frozen, netG=netG, netE=netE, netD=netD)
    options = {"betas": cfg.betas, "fused": True}
    gan.opt_g = torch.optim.Adam([*netG.parameters(), *netE.parameters()], cfg.lr_g, **options)
    gan.opt_d = torch.optim.Adam(netD.parameters(), cfg.lr_d, **options)
    gan.schedule_g = linear_decay(gan.opt_g, cfg.steps, cfg.constant)
    gan.schedule_d = linear_decay(gan.opt_d, cfg.steps, cfg.constant)
    if cfg.ema_decay:
        gan.ema = EMA(netG, cfg.ema_decay, gan.opt_g)
        gan.ema_e = EMA(netE, cfg.ema_decay, gan.opt_g)
    return gan


def train_step(gan, batch, run):
    """Update D once, then G and E once.

    Parameters
    ----------
    gan : GAN
    batch : dict
        ``real``: x, (N, channels, H, W) in [-1, 1]; ``map``: m, int64 (N, H, W), row by row.
    run : Run

    Returns
    -------
    dict of str to Tensor, ()
        The hinge losses; ``G/features``; ``E/kl`` in nats; ``G/perceptual`` if it has a weight.
    """
    cfg, x, m = gan.cfg, batch["real"], batch["map"]
    with run.autocast():
        mu, logvar = gan.netE(x)
        z = mu + (logvar / 2).exp() * torch.randn_like(mu)  # from q(z|x)
        fake = gan.netG(m, z)

    with run.autocast():
        both = gan.netD(m.repeat(2, 1, 1), torch.cat([x, fake.detach()]))  # in one batch
        real_logits, fake_logits = zip(*(maps[-1].chunk(2) for maps in both), strict=True)
        loss_d = d_loss(real_logits, fake_logits)
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    with run.autocast():
        with torch.no_grad():
            of_real = gan.netD(m, x)
        of_fake = gan.netD(m, fake)
        adv = g_loss([maps[-1] for maps in of_fake])
        features = feature_loss([s[:-1] for s in of_fake], [s[:-1] for s in of_real])
    kl = kl_loss(mu.float(), logvar.float())
    loss_g = adv + cfg.lambda_feat * features + cfg.lambda_kl * kl
    log = {"D/adv": loss_d, "G/adv": adv, "G/features": features, "E/kl": kl}
    if cfg.lambda_vgg:
        log["G/perceptual"] = perceptual_loss(fake.float(), x, gan.frozen["features"])
        loss_g = loss_g + cfg.lambda_vgg * log["G/perceptual"]
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {name: value.detach() for name, value in log.items()}


def draw_z(cfg, n, generator=None, device="cpu"):
    """Draw styles from N(0, 1), (n, latent_dim)."""
    return torch.randn(n, cfg.latent_dim, generator=generator, device=device)


@torch.no_grad()
def sample(gan, n=None, *, map, z=None, seed=0):
    """Draw a picture for each map, with the averaged generator if there is one.

    Parameters
    ----------
    gan : GAN
    n : int, optional
        Not used: there is one picture for each row of ``map``.
    map : int64 Tensor, (N, H, W)
        The class of each pixel.
    z : Tensor, (N, latent_dim), optional
        The styles; drawn with the seed if left out.
    seed : int

    Returns
    -------
    Tensor, (N, channels, H, W)
        In [-1, 1].
    """
    with sampling(gan) as netG:
        device = device_of(netG)
        z = draw_rows(draw_z, gan.cfg, len(map), seed) if z is None else z
        return netG(map.to(device), z.to(device))


@torch.no_grad()
def encode(gan, real):
    """Return the styles of pictures: the means of q(z|x), (N, latent_dim), of x in [-1, 1]."""
    with sampling(gan, "netE") as netE:
        return netE(real.to(device_of(netE)))[0]
