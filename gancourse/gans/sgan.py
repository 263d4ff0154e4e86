"""Semi-supervised GAN: D names the class of real pictures, of which few have a label.

Salimans et al. 2016, arXiv:1606.03498, section 5, and Odena 2016, arXiv:1606.01583. What differs
from the first GAN: D has a logit for each class, and whether a picture is real follows from all of
them together; the cross-entropy of the few labels is added to D's loss; and G matches the mean of
D's features, where Odena's plays against D's logits. Unlike ACGAN's, this G is given no class.
"""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from gancourse.fields import Classes, Pictures, Points
from gancourse.files.schema import Amount, Count, PerLayer, Share, Width
from gancourse.gans.blocks import device_of, draw_rows, sampling
from gancourse.training import parallel
from gancourse.training.ema import EMA
from gancourse.training.gan import GAN

TAKES = {"real": Pictures | Points, "labels": Classes}
SAMPLES = {"real": ("z",)}
PLAYERS = {"D": ("netD",), "G": ("netG",)}
PUBLISHED = ("netG", "netD")
STAGES = {"train_step": "steps"}


@dataclass(frozen=True, kw_only=True)
class Config:
    """The hyperparameters; the defaults are those of Salimans et al. for MNIST.

    The paper gives the networks in words (section 6.1); the numbers stand in the authors'
    ``train_mnist_feature_matching.py``, github.com/openai/improved-gan.
    """

    sample_shape: PerLayer = (1, 28, 28)  # (channels, height, width), or (2,) for points
    num_classes: Width = 10  # K; labels are 0 to num_classes - 1
    labels_per_class: Count = 10  # labels that training may use; 2, 5, 10, 20 (table 1)
    latent_dim: Width = 100  # numbers in z, uniform in [0, 1]
    g_hidden: PerLayer = (500, 500)  # softplus units per hidden layer of G, batch-normalised
    d_hidden: PerLayer = (1000, 500, 250, 250, 250)  # ReLU units per hidden layer of D
    d_noise: tuple[Amount, Amount] = (0.3, 0.5)  # std of noise on D's input, on its hidden units
    lambda_adv: Amount = 0.5  # weight of the loss without labels; 1 in the paper, 1/2 in the code
    lr_g: Amount = 3e-3  # Adam's step size for G
    lr_d: Amount = 3e-3  # the same for D
    betas: tuple[Share, Share] = (0.5, 0.999)  # Adam's decay rates
    ema_decay: Share = 0.9999  # decay of the average of D's weights, which classify() uses
    batch_size: Count = 100  # pictures without a label; as many are drawn with one
    steps: Count = 180_000  # updates of each player: 300 epochs of 600


# Smaller, with less noise, since narrow layers average less of it out, and a shorter average of D.
_LAPTOP = Config(
    labels_per_class=5,
    latent_dim=50,
    g_hidden=(128, 128),
    d_hidden=(256, 128),
    d_noise=(0.3, 0.3),
    ema_decay=0.995,
    batch_size=64,
    steps=2_500,
)

PRESETS = {
    "smoke": replace(_LAPTOP, g_hidden=(32, 32), d_hidden=(32, 32), ema_decay=0.9, steps=40),
    "laptop": _LAPTOP,
    # The published numbers. The paper leaves open what the authors' code says; where they differ,
    # the code is followed, which made the table: `lambda_adv` is 1/2, and g_loss is a mean over
    # features. Four things differ from both. Pixels are in [-1, 1], so that the sigmoid at the end
    # of G is a tanh (the same function, rescaled), and D scales them back. Both players see the
    # same unlabelled batch; the code draws two. What D's hidden layers are shifted by at the start
    # is kept beside the trained bias. The average of D starts from its first weights and not at 0.
    "paper": Config(),
}


class NormedLinear(nn.Module):
    """A linear layer with weight normalisation: y = s v x / |v| + b.

    Salimans, Kingma 2016, arXiv:1602.07868. The direction of each weight vector v is trained, and
    its length s in the last layer of a network only, as in the authors' code.

    Parameters
    ----------
    inputs, units : int
    trained : bool
        Whether s is trained; otherwise :meth:`start` sets it.
    """

    def __init__(self, inputs, units, trained=False):
        super().__init__()
        self.v = nn.Parameter(0.1 * torch.randn(units, inputs))
        self.bias = nn.Parameter(torch.zeros(units))
        if trained:
            self.scale = nn.Parameter(torch.ones(units))
        else:
            self.register_buffer("scale", torch.ones(units))
        self.register_buffer("shift", torch.zeros(units))

    def forward(self, x):
        """Turn x, (N, inputs), into (N, units)."""
        # The outputs are scaled, which are fewer than the weights.
        return F.linear(x, self.v) * (self.scale / self.v.norm(dim=1)) + self.shift + self.bias

    @torch.no_grad()
    def start(self, x):
        """Set s and a shift so that for x, (N, inputs), each output has mean 0 and variance 1."""
        y = F.linear(x, self.v) / self.v.norm(dim=1)
        self.scale.copy_(1 / (y.std(0) + 1e-6))
        self.shift.copy_(-y.mean(0) * self.scale)


class Generator(nn.Module):
    """Noise in, a sample out: linear layers with batch norm and softplus between them.

    Batch norm has a bias and no gain; the last layer is weight-normalised.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        self.sample_shape = tuple(cfg.sample_shape)
        sizes = (cfg.latent_dim, *cfg.g_hidden)
        self.hidden = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in pairwise(sizes))
        self.norms = nn.ModuleList(nn.BatchNorm1d(b, affine=False) for b in cfg.g_hidden)
        self.biases = nn.ParameterList(torch.zeros(b) for b in cfg.g_hidden)
        self.out = NormedLinear(sizes[-1], math.prod(self.sample_shape), trained=True)
        nn.init.xavier_uniform_(self.out.v)

    def forward(self, z):
        """Turn z, (N, latent_dim), into samples, (N, *sample_shape)."""
        for layer, norm, bias in zip(self.hidden, self.norms, self.biases, strict=True):
            z = F.softplus(norm(layer(z)) + bias)  # (N, g_hidden[i])
        x = self.out(z).unflatten(1, self.sample_shape)  # (N, *sample_shape)
        return torch.tanh(x / 2) if len(self.sample_shape) == 3 else x  # pixels end in [-1, 1]


class Discriminator(nn.Module):
    """A sample in, a logit for each of the K classes out; there is no logit for "fake".

    Noise on the input and on the hidden units, in training alone, keeps it from learning the few
    labelled samples by heart.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        self.noise = cfg.d_noise
        sizes = (math.prod(cfg.sample_shape), *cfg.d_hidden)
        self.hidden = nn.ModuleList(NormedLinear(a, b) for a, b in pairwise(sizes))
        self.out = NormedLinear(sizes[-1], cfg.num_classes, trained=True)

    def features(self, x):
        """Return the last hidden units, (N, d_hidden[-1]), for samples x, (N, *sample_shape)."""
        x, std = x.flatten(1) / 2 + 0.5, self.noise[0]  # pixels in [0, 1], as the authors'
        for layer in self.hidden:
            x = F.relu(layer(self.disturbed(x, std)))  # (N, d_hidden[i])
            std = self.noise[1]
        return x

    @torch.no_grad()
    def start(self, x):
        """Scale the hidden layers for the first batch, x; see :meth:`NormedLinear.start`."""
        x, std = x.flatten(1) / 2 + 0.5, self.noise[0]
        for layer in self.hidden:
            x = self.disturbed(x, std)
            layer.start(x)
            x, std = F.relu(layer(x)), self.noise[1]

    def forward(self, x):
        """Return the class logits, (N, num_classes), of samples, (N, *sample_shape)."""
        return self.out(self.disturbed(self.features(x), self.noise[1]))

    def disturbed(self, x, std):
        """Add Gaussian noise to x in training; return it as it is in evaluation."""
        return x + std * torch.randn_like(x) if self.training and std else x


class FewLabels(nn.Module):
    """The labels that training may use: those of the first few samples of each class.

    Batches hold a label for each sample. This is the one part that reads them: it keeps the first
    ``labels_per_class`` samples of each class that it meets, and ignores every later label. The
    order of the batches follows from the seed of a run, and so do the labels that are kept; they
    are saved in checkpoints. With several processes, each process keeps its own.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        self.num_classes, self.each = cfg.num_classes, cfg.labels_per_class
        rows = self.num_classes * self.each + 1  # the last row takes what is not kept
        self.register_buffer("x", torch.zeros(rows, *cfg.sample_shape))
        self.register_buffer("y", torch.full((rows,), -1))  # -1: nothing is kept here yet
        self.register_buffer("met", torch.zeros(self.num_classes, dtype=torch.int64))

    def keep(self, real, labels):
        """Keep samples, (N, *sample_shape), of classes that still lack some, with labels (N,)."""
        own = F.one_hot(labels, self.num_classes)  # (N, num_classes)
        before = (own.cumsum(0) - own + self.met).gather(1, labels[:, None]).squeeze(1)
        # Without a condition in Python, which would make a GPU wait.
        row = torch.where(before < self.each, labels * self.each + before, len(self.y) - 1)
        self.x[row], self.y[row] = real, labels
        self.x[-1].zero_()
        self.y[-1].fill_(-1)
        self.met += own.sum(0)

    def draw(self, n):
        """Draw ``n`` of the kept samples, and their labels, with replacement.

        Returns
        -------
        Tensor, (n, *sample_shape)
        Tensor, (n,)
            -1 where nothing is kept yet, in the first steps.
        """
        row = torch.randint(len(self.y) - 1, (n,), device=self.y.device)
        return self.x[row], self.y[row]


def source_logits(class_logits):
    """Return the logits of "real", (N,), that K class logits imply, (N, K).

    Beside K + 1 logits with that of "fake" fixed at 0, D(x) = Z / (Z + 1) with Z the sum of the
    exponentials (section 5), which is the sigmoid of log Z.
    """
    return class_logits.logsumexp(1)


def d_loss(real_logits, fake_logits):
    """Return the part of D's loss that needs no label: L_unsupervised of section 5.

    Parameters
    ----------
    real_logits, fake_logits : Tensor, (N,)
        See :func:`source_logits`.

    Returns
    -------
    Tensor, ()
        Log 4 = 1.386 nats when D cannot tell the two apart.
    """
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def class_loss(class_logits, labels):
    """Return the part of D's loss that needs labels: L_supervised of section 5.

    Parameters
    ----------
    class_logits : Tensor, (N, K)
        Logits from the linear layer; the cross-entropy applies the softmax itself.
    labels : Tensor, (N,)
        -1 for none.

    Returns
    -------
    Tensor, ()
        The mean cross-entropy over the samples with a label, in nats; 0 if there is none.
    """
    known = (labels >= 0).sum().clamp(min=1)
    return F.cross_entropy(class_logits, labels, ignore_index=-1, reduction="sum") / known


def g_loss(real_features, fake_features):
    """Return what G minimises: the distance of the features' means (section 3.1).

    The mean over the features of the squared difference, as in the authors' code; the paper has
    their sum.

    Parameters
    ----------
    real_features, fake_features : Tensor, (N, units)
        Of D's last hidden layer.

    Returns
    -------
    Tensor, ()
    """
    return (real_features.mean(0) - fake_features.mean(0)).square().mean()


def draw_z(cfg, n, generator=None, device="cpu"):
    """Draw ``n`` latent vectors, (n, latent_dim), uniform in [0, 1]."""
    return torch.rand(n, cfg.latent_dim, generator=generator, device=device)


def inputs(cfg):
    """Return the fields that a batch has for this configuration, by name."""
    shape = tuple(cfg.sample_shape)
    real = Pictures(shape=shape) if len(shape) == 3 else Points(dimensions=shape[0])
    return {"real": real, "labels": Classes(count=cfg.num_classes)}


def configure(preset, fields):
    """Return a preset's configuration, fitted to the fields of a data set."""
    real, labels = fields["real"], fields["labels"]
    return replace(PRESETS[preset], sample_shape=real.shape, num_classes=labels.count)


def networks(cfg):
    """Return the untrained networks by name."""
    return {"netG": Generator(cfg), "netD": Discriminator(cfg)}


def build(cfg, run):
    """Return the two players with their optimizers, and the store of labels.

    Parameters
    ----------
    cfg : Config
    run : Run

    Returns
    -------
    GAN
        With ``netG``, ``netD``, ``opt_g``, ``opt_d``, ``labelled``, and ``ema``, the average of D,
        if ``ema_decay`` is above 0.
    """
    netG, netD = networks(cfg).values()
    gan = GAN(cfg, PUBLISHED, netG=run.place(netG), netD=run.place(netD))
    gan.labelled = FewLabels(cfg).to(run.device)
    gan.opt_g = torch.optim.Adam(netG.parameters(), lr=cfg.lr_g, betas=cfg.betas, fused=True)
    gan.opt_d = torch.optim.Adam(netD.parameters(), lr=cfg.lr_d, betas=cfg.betas, fused=True)
    if cfg.ema_decay:
        gan.ema = EMA(netD, cfg.ema_decay, gan.opt_d)
    return gan


def train_step(gan, batch, run):
    """Update D once, then G once.

    Parameters
    ----------
    gan : GAN
    batch : dict
        ``real``: (N, *sample_shape), pictures in [-1, 1]; ``labels``: (N,), of which
        :class:`FewLabels` uses the first few.
    run : Run

    Returns
    -------
    dict of str to Tensor, ()
        The losses, D's in nats; D's mean probability of "real" for real and for fake samples; and
        the share of labelled samples that D classifies correctly.
    """
    cfg, real = gan.cfg, batch["real"]
    gan.labelled.keep(real, batch["labels"])
    x, y = gan.labelled.draw(len(real))
    if gan.step == 0:
        gan.netD.start(real)
        for buffer in gan.netD.buffers():  # with several processes, the mean of theirs
            buffer.copy_(parallel.mean(buffer, run))
    with run.autocast():
        fake = gan.netG(draw_z(cfg, len(real), device=run.device))

        # In one pass, since each computes the lengths of all weight vectors.
        class_logits = gan.netD(torch.cat([x, real, fake.detach()]))
        labelled, unlabelled, faked = class_logits.chunk(3)
        real_logits, fake_logits = source_logits(unlabelled), source_logits(faked)
        class_d, adv_d = class_loss(labelled, y), d_loss(real_logits, fake_logits)
        loss_d = class_d + cfg.lambda_adv * adv_d
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)  # G's gradient passes through D, whose weights need none
    with run.autocast():
        loss_g = g_loss(*gan.netD.features(torch.cat([real, fake])).chunk(2))
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)

    return {
        "D/class": class_d.detach(),
        "D/adv": adv_d.detach(),
        "G/adv": loss_g.detach(),
        "D/prob_real": real_logits.detach().sigmoid().mean(),
        "D/prob_fake": fake_logits.detach().sigmoid().mean(),
        "D/accuracy_labelled": (labelled.argmax(1) == y).float().mean(),
    }


@torch.no_grad()
def sample(gan, n, *, seed=0, z=None):
    """Draw ``n`` samples.

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


@torch.no_grad()
def classify(gan, x):
    """Return class logits, (N, num_classes), of samples x, (N, *sample_shape).

    D's average answers if there is one, without noise. The largest logit is the class; that a
    sample could be fake does not change which one that is.
    """
    with sampling(gan, "netD") as netD:
        return netD(x.to(device_of(netD)))
