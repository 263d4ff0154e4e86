"""BicycleGAN: one picture in, many out, since z and the output determine each other.

Zhu et al. 2017, arXiv:1711.11586. What differs from Pix2Pix: noise z is an input of G beside the
picture, and an encoder E finds z in an output. Two cycles keep G from ignoring z: from a target to
z and back (cVAE-GAN), and from z to an output and back (cLR-GAN).
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from gancourse.errors import CourseError
from gancourse.fields import Pictures
from gancourse.files.schema import Amount, Channels, Count, Few, PerLayer, Share, Side, Width
from gancourse.gans.blocks import device_of, draw_rows, sampling
from gancourse.training.ema import EMA
from gancourse.training.gan import GAN
from gancourse.training.schedules import linear_decay

TAKES = {"input": Pictures, "target": Pictures}
SAMPLES = {"target": ("input", "z")}
PLAYERS = {"D": ("netD", "netD2"), "G": ("netG", "netE")}
PUBLISHED = ("netG", "netE")
STAGES = {"train_step": "steps"}


@dataclass(frozen=True, kw_only=True)
class Config:
    """The hyperparameters; the defaults are those of the authors' code, for facades.

    The paper leaves most numbers to the code, github.com/junyanz/BicycleGAN: its options, and
    ``scripts/train_facades.sh``.
    """

    image_size: Side = 256  # pixels; a multiple of 2 for each of `g_channels`
    channels_A: Channels = 3  # of the input A: 3 for colour, 1 for a sketch
    channels_B: Channels = 3  # of the output B
    latent_dim: Width = 8  # numbers in z (section 4)
    g_channels: PerLayer = (64, 128, 256, 512, 512, 512, 512, 512)  # of G's encoder's layers
    z_everywhere: bool = True  # z is an input of all those layers; False: of the first (fig. 3)
    dropout: Share = 0.5  # share dropped in training
    dropout_blocks: Few = 3  # decoder layers with dropout, from the second innermost on
    e_channels: PerLayer = (64, 128, 192, 256, 256)  # of E's first layer and of its blocks
    ndf: Width = 64  # channels of D's first layer; each further one doubles them, up to 8 ndf
    d_layers: Few = 3  # of stride 2 in D; 3 make patches of 70 pixels
    d_scales: Few = 2  # D judges the picture, and again at half the side, with half the channels
    conditional: bool = False  # True: D sees A and B; False: B alone
    lambda_gan: Amount = 1.0  # weight of the adversarial loss of encoded z; 0 without L1 and KL
    lambda_gan2: Amount = 1.0  # the same of random z
    lambda_l1: Amount = 10.0  # weight of |B - G(A, E(B))| (section 4)
    lambda_kl: Amount = 0.01  # weight of the divergence of q(z|B) from N(0, 1) (section 4)
    lambda_z: Amount = 0.5  # weight of |z - E(G(A, z))| (section 4)
    lr: Amount = 2e-4  # Adam's step size for all networks (section 4)
    betas: tuple[Share, Share] = (0.5, 0.999)  # Adam's decay rates
    constant: Share = 0.5  # share of the steps before lr falls linearly to 0
    init_gain: Amount = 0.02  # weights start from Xavier's normal distribution times this
    ema_decay: Share = 0.0  # decay of the averages of G and E, which sample() uses; 0: none
    batch_size: Count = 2  # pairs; the first half is encoded, the second is compared with random z
    steps: Count = 80_000  # updates of each player: 400 epochs of 400 facades


# Few steps at 32x32 pixels. The adversarial losses weigh a tenth of the paper's beside the others,
# and the divergence ten times as much beside L1: with the paper's weight, q(z|B) had 14 nats to
# tell 12 looks apart, where log 12 = 2.5 would do, and the prior draws from between its clusters.
_LAPTOP = Config(
    image_size=32,
    latent_dim=2,  # enough for 12 looks, and a plane to look at
    g_channels=(48, 64, 64, 64),  # the first is as wide as the colours of a map need
    dropout=0.0,
    dropout_blocks=0,
    e_channels=(16, 32, 48),
    ndf=16,
    d_layers=2,
    lambda_l1=100.0,
    lambda_kl=1.0,
    lambda_z=5.0,
    lr=1e-3,
    init_gain=1.0,
    ema_decay=0.98,
    batch_size=16,
    steps=300,
)

PRESETS = {
    "smoke": replace(
        _LAPTOP,
        g_channels=(8, 16, 16),
        dropout=0.5,
        dropout_blocks=1,
        e_channels=(8, 16),
        ndf=8,
        batch_size=8,
        steps=10,
    ),
    "laptop": _LAPTOP,
    # The published numbers. Where paper and authors' code differ, we follow the code: D judges B
    # alone (the paper's equations have pairs); the latent loss compares z with E's mean and not
    # with a draw; random z are put on the inputs of the encoded half and judged beside the other
    # half's targets, which the authors found to be more diverse. The code sums the divergence over
    # the batch, so that its weight would depend on the batch's size: ours is the mean, which is the
    # same for the code's batch of one encoded pair. Discriminators are updated first, as in the
    # lessons before, and the authors second. The biases that instance norm cancels are theirs.
    "paper": Config(),
}


class InstanceNorm(nn.Module):
    """Instance normalisation: each channel of each picture gets mean 0 and variance 1."""

    def forward(self, x):
        """Normalise x, (N, C, H, W), by group norm with C groups: much faster in bf16 on a CPU."""
        return F.group_norm(x.contiguous(), x.shape[1])


class Generator(nn.Module):
    """A picture and z in, a picture out: a U-Net, in which z is a further input of each layer.

    z is put beside the channels at every place of the encoder's inputs (figure 3 of the paper).

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        widths, depth = [cfg.channels_A, *cfg.g_channels], len(cfg.g_channels)
        if depth < 2 or cfg.image_size % 2**depth:
            raise CourseError(
                f"each of the {depth} g_channels halves the side: there must be two or more, and "
                f"image_size must be a multiple of {2**depth}, not {cfg.image_size}."
            )
        self.z_everywhere = cfg.z_everywhere
        self.down, self.down_norms = nn.ModuleList(), nn.ModuleList()
        self.up, self.up_norms = nn.ModuleList(), nn.ModuleList()
        for i, (before, after) in enumerate(pairwise(widths)):
            before += cfg.latent_dim if cfg.z_everywhere or i == 0 else 0
            self.down.append(nn.Conv2d(before, after, 4, 2, 1))
            self.down_norms.append(InstanceNorm() if 0 < i < depth - 1 else nn.Identity())
        for i in reversed(range(depth)):
            before = widths[i + 1] * (1 if i == depth - 1 else 2)
            after = widths[i] if i else cfg.channels_B
            norm = [InstanceNorm()] if i else []
            if 0 < depth - 1 - i <= cfg.dropout_blocks and i:
                norm.append(nn.Dropout(cfg.dropout))
            self.up.append(nn.ConvTranspose2d(before, after, 4, 2, 1))
            self.up_norms.append(nn.Sequential(*norm))

    def forward(self, x, z):
        """Draw an output, (N, channels_B, H, W) in [-1, 1], for x, (N, channels_A, H, W), and z.

        z is (N, latent_dim).
        """
        skips = []
        for i, (down, norm) in enumerate(zip(self.down, self.down_norms, strict=True)):
            if i:
                skips.append(x)
                x = F.leaky_relu(x, 0.2)
            if self.z_everywhere or i == 0:
                x = torch.cat([x, z[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1)
            x = norm(down(x))  # (N, g_channels[i], half the side)
        for up, norm in zip(self.up, self.up_norms, strict=True):
            x = norm(up(F.relu(x)))  # twice the side
            if skips:  # in all layers but the last
                x = torch.cat([x, skips.pop()], 1)
        return torch.tanh(x)  # (N, channels_B, H, W)


class Residual(nn.Module):
    """A residual block that halves the side; the norms stand before the convolutions."""

    def __init__(self, before, after):
        super().__init__()
        self.body = nn.Sequential(
            InstanceNorm(),
            nn.LeakyReLU(0.2),
            nn.Conv2d(before, before, 3, padding=1),
            InstanceNorm(),
            nn.LeakyReLU(0.2),
            nn.Conv2d(before, after, 3, padding=1),
            nn.AvgPool2d(2),
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(before, after, 1))

    def forward(self, x):
        """Return (N, after, H / 2, W / 2) for x, (N, before, H, W)."""
        return self.body(x) + self.shortcut(x)


class Encoder(nn.Module):
    """A picture B in, the mean and the log variance of q(z|B) out.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        widths = cfg.e_channels
        self.first = nn.Conv2d(cfg.channels_B, widths[0], 4, 2, 1)
        self.blocks = nn.Sequential(*(Residual(a, b) for a, b in pairwise(widths)))
        self.mu, self.logvar = (nn.Linear(widths[-1], cfg.latent_dim) for _ in range(2))

    def forward(self, y):
        """Return mu and logvar, (N, latent_dim) each, for y, (N, channels_B, H, W)."""
        h = self.blocks(self.first(y))  # (N, e_channels[-1], H / 2**len(e_channels), ...)
        h = F.leaky_relu(h, 0.2).mean((2, 3))
        return self.mu(h), self.logvar(h)


class Discriminator(nn.Module):
    """PatchGANs on two scales: a picture in, a map of scores for each scale out.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        self.conditional = cfg.conditional
        channels = cfg.channels_B + cfg.channels_A * cfg.conditional
        self.scales = nn.ModuleList()
        for scale in range(cfg.d_scales):
            ndf, layers = max(1, cfg.ndf // 2**scale), []
            widths = [channels, *(ndf * min(2**n, 8) for n in range(cfg.d_layers + 1))]
            for i, (before, after) in enumerate(pairwise(widths)):
                stride = 2 if i < cfg.d_layers else 1
                layers.append(nn.Conv2d(before, after, 4, stride, 1))
                layers += [InstanceNorm()] * (i > 0) + [nn.LeakyReLU(0.2)]
            self.scales.append(nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1)))
        side = cfg.image_size // 2 ** (cfg.d_scales - 1 + cfg.d_layers)
        if side < 3:  # the last two layers take one pixel each
            raise CourseError(
                f"D's layers leave nothing of {cfg.image_size} pixels: use fewer d_layers or "
                "d_scales."
            )

    def forward(self, x, y):
        """Return a list of scores, (N, h, w) for each scale, of y as an answer to x."""
        h, scores = torch.cat([x, y], 1) if self.conditional else y, []
        for i, net in enumerate(self.scales):
            if i:
                # Half the side. In NHWC order CUDA's gradient is wrong: pytorch/pytorch#188344.
                h = F.avg_pool2d(h.contiguous(), 3, 2, 1, count_include_pad=False)
            scores.append(net(h).squeeze(1))
        return scores


def d_loss(real_logits, fake_logits):
    """Return D's loss: squared distances from 1 for real and from 0 for fake, as in LSGAN.

    Parameters
    ----------
    real_logits, fake_logits : list of Tensor, (N, h, w)
        The scores of each scale. They are D's answer itself: there is no sigmoid.

    Returns
    -------
    Tensor, ()
        The sum over the scales of means over patches.
    """
    pairs = zip(real_logits, fake_logits, strict=True)
    return sum((real - 1).square().mean() + fake.square().mean() for real, fake in pairs)


def g_loss(fake_logits):
    """Return the adversarial part of G's loss: the squared distance of its scores from 1."""
    return sum((fake - 1).square().mean() for fake in fake_logits)


def kl_loss(mu, logvar):
    """Return the divergence of N(mu, exp(logvar)) from N(0, 1), in nats: section 3.2.

    Parameters
    ----------
    mu, logvar : Tensor, (N, latent_dim)

    Returns
    -------
    Tensor, ()
        The sum over the numbers of z, and the mean over the batch.
    """
    return (mu.square() + logvar.exp() - 1 - logvar).sum(1).mean() / 2


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
    return {
        "netG": Generator(cfg),
        "netE": Encoder(cfg),
        "netD": Discriminator(cfg),
        "netD2": Discriminator(cfg),
    }


def build(cfg, run):
    """Return the two players with their optimizers; E moves with G.

    Parameters
    ----------
    cfg : Config
    run : Run

    Returns
    -------
    GAN
        With ``netG``, ``netE``, ``netD``, ``netD2``, ``opt_g``, ``opt_d``, their schedules, and
        ``ema`` and ``ema_e`` if ``ema_decay`` is above 0.

    Raises
    ------
    CourseError
        If the layers do not fit the pictures, a batch has no two halves, or no loss is left.
    """
    if cfg.batch_size < 2:
        raise CourseError(
            "batch_size must be 2 or more: half of a batch is encoded, and the other half is what "
            "D2 compares the outputs of random z with."
        )
    if not (cfg.lambda_gan or cfg.lambda_gan2 or cfg.lambda_l1):
        raise CourseError("lambda_gan, lambda_gan2 and lambda_l1 are all 0: G would learn nothing.")
    netG, netE, netD, netD2 = nets = [run.place(net) for net in networks(cfg).values()]
    for net in nets:
        for layer in net.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                nn.init.xavier_normal_(layer.weight, cfg.init_gain)
                nn.init.zeros_(layer.bias)
    gan = GAN(cfg, PUBLISHED, netG=netG, netE=netE, netD=netD, netD2=netD2)
    options = {"lr": cfg.lr, "betas": cfg.betas, "fused": True}
    gan.opt_g = torch.optim.Adam([*netG.parameters(), *netE.parameters()], **options)
    gan.opt_d = torch.optim.Adam([*netD.parameters(), *netD2.parameters()], **options)
    gan.schedule_g = linear_decay(gan.opt_g, cfg.steps, cfg.constant)
    gan.schedule_d = linear_decay(gan.opt_d, cfg.steps, cfg.constant)
    if cfg.ema_decay:
        gan.ema = EMA(netG, cfg.ema_decay, gan.opt_g)
        gan.ema_e = EMA(netE, cfg.ema_decay, gan.opt_g)
    return gan


def train_step(gan, batch, run):
    """Update both discriminators once, then G and E once.

    Parameters
    ----------
    gan : GAN
    batch : dict
        ``input``: A, (N, channels_A, H, W); ``target``: B, (N, channels_B, H, W), row by row;
        both in [-1, 1].
    run : Run

    Returns
    -------
    dict of str to Tensor, ()
        The adversarial losses; ``G/l1``, the mean absolute error of pixels in [-1, 1] with encoded
        z; ``E/kl`` in nats; ``G/latent``, the mean absolute error of z.
    """
    cfg, half = gan.cfg, len(batch["input"]) // 2
    A, B = batch["input"][:half], batch["target"][:half]
    A_other, B_other = batch["input"][half:], batch["target"][half:]
    with run.autocast():
        mu, logvar = gan.netE(B)
        z_enc = mu + (logvar / 2).exp() * torch.randn_like(mu)  # from q(z|B); E gets its gradient
        z = torch.randn_like(mu)
        fake_enc, fake = gan.netG(A, z_enc), gan.netG(A, z)

    with run.autocast():
        loss_d = d_loss(gan.netD(A, B), gan.netD(A, fake_enc.detach()))
        loss_d2 = d_loss(gan.netD2(A_other, B_other), gan.netD2(A, fake.detach()))
    gan.opt_d.zero_grad()
    (loss_d + loss_d2).backward()
    gan.opt_d.step()

    for net in (gan.netD, gan.netD2, gan.netE):
        net.requires_grad_(False)
    with run.autocast():
        adv, adv2 = g_loss(gan.netD(A, fake_enc)), g_loss(gan.netD2(A, fake))
        z_rec, _ = gan.netE(fake)  # through E as it is: E does not learn from this
    l1, kl = F.l1_loss(fake_enc.float(), B), kl_loss(mu.float(), logvar.float())
    latent = F.l1_loss(z_rec.float(), z.float())
    vae = cfg.lambda_gan * adv + cfg.lambda_l1 * l1 + cfg.lambda_kl * kl  # B -> z -> B
    lr = cfg.lambda_gan2 * adv2 + cfg.lambda_z * latent  # z -> B -> z
    gan.netE.requires_grad_(True)
    gan.opt_g.zero_grad()
    (vae + lr).backward()
    gan.opt_g.step()
    for net in (gan.netD, gan.netD2):
        net.requires_grad_(True)

    log = {"D/adv": loss_d, "D/adv_random": loss_d2, "G/adv": adv, "G/adv_random": adv2}
    log |= {"G/l1": l1, "E/kl": kl, "G/latent": latent}
    return {name: value.detach() for name, value in log.items()}


def draw_z(cfg, n, generator=None, device="cpu"):
    """Draw latent vectors from N(0, 1), (n, latent_dim)."""
    return torch.randn(n, cfg.latent_dim, generator=generator, device=device)


@torch.no_grad()
def sample(gan, n=None, *, input, z=None, seed=0):
    """Translate pictures, each with its own z, with the averaged generator if there is one.

    Parameters
    ----------
    gan : GAN
    n : int, optional
        Not used: there is one output for each row of ``input``.
    input : Tensor, (N, channels_A, H, W)
        In [-1, 1].
    z : Tensor, (N, latent_dim), optional
        The styles; drawn with the seed if left out.
    seed : int

    Returns
    -------
    Tensor, (N, channels_B, H, W)
        In [-1, 1].
    """
    with sampling(gan) as netG:
        device = device_of(netG)
        z = draw_rows(draw_z, gan.cfg, len(input), seed) if z is None else z
        return netG(input.to(device), z.to(device))


@torch.no_grad()
def encode(gan, target):
    """Return the styles of pictures: the means of q(z|B), (N, latent_dim), of B in [-1, 1]."""
    with sampling(gan, "netE") as netE:
        return netE(target.to(device_of(netE)))[0]
