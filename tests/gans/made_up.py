"""A made-up GAN, arXiv:0000.00000: small pictures and a text in, large pictures out.

It has all at once what no GAN of the course has: noise and a picture, text, an encoder beside G,
two sizes of picture, a stage of its own for G, and a frozen network as a loss.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import nn

from gancourse.fields import Pictures, Tokens
from gancourse.gans.blocks import device_of, draw_rows, sampling
from gancourse.training.ema import EMA
from gancourse.training.gan import GAN
from gancourse.training.schedules import linear_decay

TAKES = {"input": Pictures, "target": Pictures, "captions": Tokens}
SAMPLES = {"target": ("z", "input", "captions")}
PLAYERS = {"D": ("netD",), "G": ("netG", "netE")}
PUBLISHED = ("netG", "netE")
STAGES = {"pretrain_step": "pretrain_steps", "train_step": "steps"}
FROZEN = {"judge": "judge:toons"}


@dataclass(frozen=True, kw_only=True)
class Config:
    """A run; there is no paper."""

    image_size: int = 64  # pixels of the large pictures, four times those of the small ones
    channels: int = 3  # of both
    words: int = 100  # in the vocabulary
    length: int = 40  # words of a text, at most
    latent_dim: int = 8  # numbers in z
    width: int = 16  # channels
    lr: float = 1e-3  # step size
    ema_decay: float = 0.9  # of the average of G
    batch_size: int = 8  # pairs
    pretrain_steps: int = 200  # updates of G alone
    steps: int = 800  # updates of both


PRESETS = {
    "smoke": Config(image_size=32, width=8, pretrain_steps=4, steps=8),
    "laptop": Config(steps=400),
    "paper": Config(),
}


class Encoder(nn.Module):
    """Texts to vectors."""

    def __init__(self, cfg):
        super().__init__()
        self.embed = nn.EmbeddingBag(cfg.words + 1, cfg.width)

    def forward(self, captions):
        return self.embed(captions)


class Generator(nn.Module):
    """Noise, a small picture and the vector of a text to a large picture."""

    def __init__(self, cfg):
        super().__init__()
        self.condition = nn.Linear(cfg.latent_dim + cfg.width, cfg.width)
        self.first = nn.Conv2d(cfg.channels, cfg.width, 3, padding=1)
        self.last = nn.Conv2d(cfg.width, 16 * cfg.channels, 3, padding=1)

    def forward(self, z, x, text):
        h = F.relu(self.first(x) + self.condition(torch.cat([z, text], 1))[:, :, None, None])
        return torch.tanh(F.pixel_shuffle(self.last(h), 4))


class Discriminator(nn.Module):
    """Large pictures to logits."""

    def __init__(self, cfg):
        super().__init__()
        self.conv = nn.Conv2d(cfg.channels, cfg.width, 4, 4)
        self.out = nn.Conv2d(cfg.width, 1, 1)

    def forward(self, y):
        return self.out(F.leaky_relu(self.conv(y), 0.2)).flatten(1).mean(1)


def draw_z(cfg, n, generator=None, device="cpu"):
    return torch.randn(n, cfg.latent_dim, generator=generator, device=device)


def inputs(cfg):
    small = cfg.image_size // 4
    return {
        "input": Pictures(shape=(cfg.channels, small, small)),
        "target": Pictures(shape=(cfg.channels, cfg.image_size, cfg.image_size)),
        "captions": Tokens(words=tuple(map(str, range(cfg.words))), length=cfg.length),
    }


def configure(preset, fields):
    text, y = fields["captions"], fields["target"]
    found = {"channels": y.channels, "words": len(text.words), "length": text.length}
    return replace(PRESETS[preset], **found)


def networks(cfg):
    return {"netG": Generator(cfg), "netD": Discriminator(cfg), "netE": Encoder(cfg)}


def build(cfg, run, frozen=None):
    nets = {name: run.place(net) for name, net in networks(cfg).items()}
    gan = GAN(cfg, PUBLISHED, frozen, **nets)
    weights = [*gan.netG.parameters(), *gan.netE.parameters()]
    gan.opt_g = torch.optim.Adam(weights, lr=cfg.lr)
    gan.opt_d = torch.optim.Adam(gan.netD.parameters(), lr=cfg.lr)
    gan.schedule_d = linear_decay(gan.opt_d, cfg.steps, 0.5)
    gan.ema = EMA(gan.netG, cfg.ema_decay, gan.opt_g)
    gan.ema_E = EMA(gan.netE, cfg.ema_decay, gan.opt_g)
    return gan


def draw(gan, batch, run):
    z = draw_z(gan.cfg, len(batch["input"]), device=run.device)
    return gan.netG(z, batch["input"], gan.netE(batch["captions"]))


def pretrain_step(gan, batch, run):
    with run.autocast():
        fake = draw(gan, batch, run)
    error = F.mse_loss(fake.float(), batch["target"])
    gan.opt_g.zero_grad()
    error.backward()
    gan.opt_g.step()
    return {"G/mse": error.detach()}


def seen_by(judge, pictures):
    colour = pictures.float().expand(-1, 3, -1, -1)
    return judge.body(F.interpolate(colour, (64, 64)))


def train_step(gan, batch, run):
    y = batch["target"]
    with run.autocast():
        fake = draw(gan, batch, run)
        loss_d = F.softplus(-gan.netD(y)).mean() + F.softplus(gan.netD(fake.detach())).mean()
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    judge = gan.frozen["judge"]
    with run.autocast():
        adv = F.softplus(-gan.netD(fake)).mean()
    far = F.l1_loss(seen_by(judge, fake), seen_by(judge, y))
    gan.opt_g.zero_grad()
    (adv + far + F.mse_loss(fake.float(), y)).backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": adv.detach(), "G/judge": far.detach()}


@torch.no_grad()
def sample(gan, n=None, *, input, captions, seed=0, z=None):
    with sampling(gan) as netG, sampling(gan, "netE") as netE:
        device = device_of(netG)
        if z is None:
            z = draw_rows(draw_z, gan.cfg, len(input), seed)
        return netG(z.to(device), input.to(device), netE(captions.to(device)))
