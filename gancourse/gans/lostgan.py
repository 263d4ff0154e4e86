"""LostGAN: boxes and kinds in, a picture out; the shape of each object is learned on the way.

Sun and Wu 2019, arXiv:1908.07500. What differs from SPADE: no map is given, only a box and a kind
for each object. G turns each object's kind and its own noise into a mask, and the masks say where
each object's gains and biases act in the normalisations (ISLA). D judges the picture, and each
object in a crop.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from gancourse.errors import CourseError
from gancourse.fields import Boxes, Pictures, Tokens
from gancourse.files.schema import Amount, Channels, Count, Few, PerLayer, Share, Side, Width
from gancourse.gans.blocks import device_of, draw_rows, r1_penalty, sampling
from gancourse.training.ema import EMA
from gancourse.training.gan import GAN

TAKES = {"real": Pictures, "boxes": Boxes, "kinds": Tokens}
SAMPLES = {"real": ("z", "boxes", "kinds")}
PLAYERS = {"D": ("netD",), "G": ("netG",)}
PUBLISHED = ("netG",)
STAGES = {"train_step": "steps"}


@dataclass(frozen=True, kw_only=True)
class Config:
    """The hyperparameters; the defaults are those of the authors' code, for 64 pixels.

    github.com/WillSuen/LostGANs: its first networks, which are those of the paper, and
    ``train.py``. The data are COCO-Stuff's.
    """

    image_size: Side = 64  # pixels; each of `g_channels` but the first doubles a side of 4
    image_channels: Channels = 3  # 3 for colour, 1 for grey
    num_things: Width = 8  # slots of a layout; pictures have 3 to 8 objects
    num_kinds: Width = 183  # kinds of objects; kind 0, of empty slots, is none of them
    z_image: Width = 128  # numbers in z for the picture as a whole
    z_object: Width = 128  # numbers in z for each object
    embedding: Width = 128  # numbers that G learns for each kind
    backdrop: bool = False  # whether G adds an object of kind 0 whose box is the whole picture
    g_channels: PerLayer = (1024, 512, 256, 128, 64)  # of G's first map, and of each block's output
    mask_size: Width = 16  # side of an object's mask: 4, 8, 16, ...
    mask_channels: Width = 128  # of the network that draws masks
    d_channels: PerLayer = (64, 128, 256, 512, 1024)  # of the outputs of D's blocks
    d_strides: PerLayer = (1, 1, 2, 2, 2)  # of D's blocks
    roi_after: Few = 3  # how many of D's blocks stand before the crops of objects
    roi_size: Width = 8  # side of a crop, in pixels of that map
    obj_channels: Width = 512  # of the block behind the crops
    spectral: bool = True  # whether all layers of G and D have spectral normalisation
    lambda_img: Amount = 0.1  # weight of the losses of whole pictures
    lambda_obj: Amount = 1.0  # the same of objects
    r1: Amount = 0.0  # weight of the penalty on D's gradient
    r1_every: Count = 8  # updates of D between two that are penalised
    lr_g: Amount = 1e-4  # Adam's step size for G
    lr_d: Amount = 1e-4  # the same for D
    betas: tuple[Share, Share] = (0.0, 0.999)  # Adam's decay rates
    ema_decay: Share = 0.0  # decay of the average of G's weights, which sample() uses; 0: none
    batch_size: Count = 128  # pictures
    steps: Count = 117_000  # updates of each player: about 200 epochs

    @property
    def latent_dim(self):
        """The numbers in z: those of the picture, then those of each slot."""
        return self.z_image + self.num_things * self.z_object


# What learns most in two minutes of one core, with the paper's layers and losses. The shares are of
# objects that a judge finds in their places after some 300 steps, from one seed each.
_LAPTOP = Config(
    image_size=32,
    num_kinds=8,
    z_image=8,
    z_object=4,  # with 16, noise outweighs the kind: masks had an IoU of 0.60, and with 4 of 0.66
    embedding=16,
    backdrop=True,
    g_channels=(64, 48, 32, 24),
    mask_size=8,
    mask_channels=24,
    d_channels=(16, 32, 48, 64),
    d_strides=(2, 1, 2, 2),  # crops of a map of half the side, as in the paper: 0.84, before 0.74
    roi_after=2,
    roi_size=4,
    obj_channels=64,
    spectral=False,
    lambda_img=1.0,
    r1=1.0,  # 0.1 was no better
    lr_g=2e-3,  # 0.88; with 1e-3, 0.84
    lr_d=2e-3,
    betas=(0.0, 0.99),
    ema_decay=0.99,
    batch_size=16,
    steps=750,
)

PRESETS = {
    "smoke": replace(
        _LAPTOP,
        g_channels=(16, 12, 8, 8),
        mask_channels=8,
        d_channels=(8, 8, 16),
        d_strides=(2, 1, 2),
        obj_channels=16,
        batch_size=8,
        steps=10,
    ),
    "laptop": _LAPTOP,
    # The published numbers. The first paper has no other losses; the code that came with the second
    # adds L1 and a loss of VGG features. Ours differs in how a mask meets a map: shares of pixels
    # are averaged where the authors interpolate, so that a box never falls between two pixels of a
    # coarse map; crops follow RoIAlign with the pixels' middles where the authors are half a pixel
    # off. Empty slots are left out of all means; the authors' G gives them a box of their own.
    "paper": Config(),
}


def sampled(low, high, count, size):
    """Return weights that interpolate ``size`` pixels of a line at ``count`` even places.

    Parameters
    ----------
    low, high : Tensor, (...)
        Ends of a stretch of the line, as fractions of its length.
    count : int
        The stretch has so many equal parts; the places are their middles.
    size : int

    Returns
    -------
    Tensor, (..., count, size)
        Each row adds up to 1: a place between the middles of two pixels has a share of both, and
        one beyond the middle of the last pixel has its value.
    """
    steps = (torch.arange(count, device=low.device) + 0.5) / count
    at = low[..., None] + (high - low)[..., None] * steps
    at = (at * size - 0.5).clamp(0, size - 1)
    return (1 - (at[..., None] - torch.arange(size, device=low.device)).abs()).clamp(min=0)


def roi_align(features, boxes, size, per_bin=2):
    """Cut a crop of ``size`` by ``size`` out of feature maps for each box: RoIAlign.

    He et al. 2017, arXiv:1703.06870. Bilinear interpolation is linear in x and in y, so a crop is a
    product of three matrices. That has derivatives of any order, which R1 needs.

    Parameters
    ----------
    features : Tensor, (N, C, H, W)
    boxes : Tensor, (N, S, 4)
        Left, top, right, bottom, as fractions of the sides.
    size, per_bin : int
        A pixel of a crop is the mean of ``per_bin`` by ``per_bin`` interpolated values.

    Returns
    -------
    Tensor, (N, S, C, size, size)
    """
    left, top, right, bottom = boxes.to(features.dtype).unbind(-1)
    H, W = features.shape[2:]
    across, down = (
        sampled(*ends, size * per_bin, length).unflatten(2, (size, per_bin)).mean(3)
        for ends, length in (((left, right), W), ((top, bottom), H))
    )  # (N, S, size, W) and (N, S, size, H)
    rows = down.flatten(1, 2) @ features.movedim(1, 2).flatten(2)  # (N, S * size, C * W)
    rows = rows.unflatten(1, (*boxes.shape[1:2], size)).unflatten(3, (-1, W))
    return (rows @ across[:, :, None].mT).movedim(2, 3)  # rows: (N, S, size, C, W)


def paste(masks, boxes, size):
    """Put masks into their boxes.

    Parameters
    ----------
    masks : Tensor, (N, S, M, M)
    boxes : Tensor, (N, S, 4)
        Left, top, right, bottom, as fractions of the sides.
    size : int

    Returns
    -------
    Tensor, (N, S, size, size)
        Each mask is interpolated at the middles of the pixels in its box, and 0 elsewhere.
    """
    left, top, right, bottom = boxes.unbind(-1)
    middles = (torch.arange(size, device=boxes.device) + 0.5) / size

    def line(low, high):
        at = (middles - low[..., None]) / (high - low)[..., None].clamp(min=1e-6)  # (N, S, size)
        weights = sampled(at, at, 1, masks.shape[-1])[..., 0, :]
        return weights * ((at >= 0) & (at < 1))[..., None]  # (N, S, size, M)

    return line(top, bottom) @ masks.float() @ line(left, right).mT


class ISLA(nn.Module):
    """Normalise a map, then scale and shift it by each object where its mask is.

    The name says "instance-sensitive and layout-aware".

    Parameters
    ----------
    channels, width : int
        Of the map, and numbers that describe an object.
    linear : callable
        Makes the linear layers.
    """

    def __init__(self, channels, width, linear):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gamma, self.beta = linear(width, channels), linear(width, channels)

    def forward(self, x, objects, shares):
        """Return a map like x.

        Parameters
        ----------
        x : Tensor, (N, channels, H, W)
        objects : Tensor, (N, S, width)
        shares : Tensor, (N, S, H, W)
            Of each object in each pixel; their sum is 1, or 0 where there is no object.
        """
        shares = shares.flatten(2).to(objects.dtype)
        gamma, beta = (
            (net(objects).mT @ shares).view_as(x)  # a mean of the objects in each pixel
            for net in (self.gamma, self.beta)
        )
        return (1 + gamma) * self.norm(x) + beta


class GBlock(nn.Module):
    """A residual block of G, which doubles the side."""

    def __init__(self, before, after, width, conv, linear):
        super().__init__()
        self.isla1, self.isla2 = ISLA(before, width, linear), ISLA(after, width, linear)
        self.conv1, self.conv2 = conv(before, after, 3, 1, 1), conv(after, after, 3, 1, 1)
        self.shortcut = conv(before, after, 1)

    def forward(self, x, objects, shares, finer):
        """Return (N, after, 2H, 2W) for x, (N, before, H, W); shares are of x, finer of twice x."""
        h = F.interpolate(F.relu(self.isla1(x, objects, shares)), scale_factor=2)
        h = self.conv2(F.relu(self.isla2(self.conv1(h), objects, finer)))
        return h + F.interpolate(self.shortcut(x), scale_factor=2)


class MaskNet(nn.Module):
    """The description of an object in, its mask out.

    Parameters
    ----------
    width, channels, size : int
        Numbers that describe an object, channels of the layers, and side of a mask.
    conv, linear : callable
        Make the layers.
    """

    def __init__(self, width, channels, size, conv, linear):
        super().__init__()
        depth = size.bit_length() - 2
        if size != 2 ** (depth + 1) or depth < 1:
            raise CourseError(f"mask_size must be 4, 8, 16, ..., not {size}.")
        self.first = linear(width, channels * 16)
        self.convs = nn.ModuleList(conv(channels, channels, 3, 1, 1) for _ in range(depth))
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(depth))
        self.last = conv(channels, 1, 1)

    def forward(self, objects):
        """Return masks, (N, S, size, size) in [0, 1], of objects, (N, S, width)."""
        h = self.first(objects.flatten(0, 1)).unflatten(1, (-1, 4, 4))
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            h = F.interpolate(h, scale_factor=2, mode="bilinear") if i else h
            h = F.relu(norm(conv(h)))  # sides of 4, 8, 16
        return self.last(h).float().sigmoid().squeeze(1).unflatten(0, objects.shape[:2])


class Generator(nn.Module):
    """A layout and noise in, a picture out.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        widths, objects = cfg.g_channels, cfg.embedding + cfg.z_object
        self.sides = [4 * 2**i for i in range(len(widths))]
        if self.sides[-1] != cfg.image_size:
            raise CourseError(
                f"{len(widths)} g_channels make pictures of {self.sides[-1]} pixels, not of "
                f"image_size={cfg.image_size}: each but the first doubles a side of 4."
            )
        conv, linear, _ = layers(cfg)
        self.split = cfg.z_image, cfg.num_things, cfg.z_object
        self.backdrop = cfg.backdrop
        self.kinds = nn.Embedding(cfg.num_kinds + 1, cfg.embedding)
        if cfg.backdrop:
            self.of_image = linear(cfg.z_image, cfg.z_object)
        self.masks = MaskNet(objects, cfg.mask_channels, cfg.mask_size, conv, linear)
        self.first = linear(cfg.z_image, widths[0] * 16)
        blocks = (GBlock(a, b, objects, conv, linear) for a, b in pairwise(widths))
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.BatchNorm2d(widths[-1])
        self.last = conv(widths[-1], cfg.image_channels, 3, 1, 1)

    def describe(self, z, boxes, kinds):
        """Return the numbers of each object, its box, and whether its slot is filled.

        With a backdrop there is a further object, the last.
        """
        there, z_objects = filled(boxes, kinds), z[:, self.split[0] :].unflatten(1, self.split[1:])
        if self.backdrop:
            own = self.of_image(z[:, : self.split[0]])
            whole = F.pad(torch.ones_like(boxes[:, :1, 2:]), (2, 0))  # from (0, 0) to (1, 1)
            z_objects, boxes = torch.cat([z_objects, own[:, None]], 1), torch.cat([boxes, whole], 1)
            kinds, there = F.pad(kinds, (0, 1)), F.pad(there, (0, 1), value=1.0)
        return torch.cat([z_objects, self.kinds(kinds)], 2), boxes, there

    def shares(self, z, boxes, kinds):
        """Return which share each object has of each pixel, (N, S, image_size, image_size).

        With a backdrop, that is the last of S + 1 objects.
        """
        objects, boxes, there = self.describe(z, boxes, kinds)
        masks = paste(self.masks(objects), boxes, self.sides[-1]) * there[..., None, None]
        return objects, masks / (masks.sum(1, keepdim=True) + 1e-6)

    def forward(self, z, boxes, kinds):
        """Draw pictures, (N, image_channels, image_size, image_size) in [-1, 1].

        Parameters
        ----------
        z : Tensor, (N, latent_dim)
            The picture's numbers, then those of each slot.
        boxes : Tensor, (N, num_things, 4)
            Left, top, right, bottom from 0 to 1; -1 in an empty slot.
        kinds : int64 Tensor, (N, num_things)
            From 1; 0 in an empty slot.
        """
        objects, shares = self.shares(z, boxes, kinds)
        shares = [F.avg_pool2d(shares, self.sides[-1] // side) for side in self.sides]
        x = self.first(z[:, : self.split[0]]).unflatten(1, (-1, 4, 4))
        for block, here, finer in zip(self.blocks, shares[:-1], shares[1:], strict=True):
            x = block(x, objects, here, finer)  # fewer channels, twice the side
        return torch.tanh(self.last(F.relu(self.norm(x))))


class DBlock(nn.Module):
    """A residual block of D; with stride 2 it halves the side."""

    def __init__(self, before, after, stride, conv, first=False):
        super().__init__()
        self.conv1, self.conv2 = conv(before, after, 3, 1, 1), conv(after, after, 3, 1, 1)
        self.shortcut = conv(before, after, 1)
        self.stride, self.first = stride, first  # the first block sees the picture itself

    def forward(self, x):
        """Return (N, after, H / stride, W / stride) for x, (N, before, H, W)."""
        h = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x))))
        if self.stride > 1:
            h, x = F.avg_pool2d(h, self.stride), F.avg_pool2d(x, self.stride)
        return h + self.shortcut(x)


class Discriminator(nn.Module):
    """A picture and its layout in, a logit for the picture and one for each object out.

    Parameters
    ----------
    cfg : Config
    """

    def __init__(self, cfg):
        super().__init__()
        conv, linear, embed = layers(cfg)
        widths = (cfg.image_channels, *cfg.d_channels)
        if cfg.image_size % prod(cfg.d_strides) or not 0 < cfg.roi_after <= len(cfg.d_strides):
            raise CourseError("d_strides must divide image_size, and roi_after count blocks of D.")
        self.roi_after, self.roi_size = cfg.roi_after, cfg.roi_size
        self.blocks = nn.ModuleList(
            DBlock(*pair, stride, conv, first=i == 0)
            for i, (pair, stride) in enumerate(zip(pairwise(widths), cfg.d_strides, strict=True))
        )
        self.image = linear(widths[-1], 1)
        self.crop = DBlock(widths[cfg.roi_after], cfg.obj_channels, 2, conv)
        self.object = linear(cfg.obj_channels, 1)
        self.kinds = embed(cfg.num_kinds + 1, cfg.obj_channels)

    def forward(self, x, boxes, kinds):
        """Judge pictures x, (N, image_channels, H, W), and the objects in them.

        Parameters
        ----------
        x : Tensor
        boxes, kinds
            See :class:`Generator`.

        Returns
        -------
        image_logits : Tensor, (N,)
        object_logits : Tensor, (N, num_things)
            Of a crop as an object of its kind: a linear layer, plus the product of the features
            with numbers learned for the kind. What stands in empty slots means nothing.
        """
        for i, block in enumerate(self.blocks, 1):
            x = block(x)
            if i == self.roi_after:
                crops = roi_align(x, boxes, self.roi_size)  # (N, S, C, roi_size, roi_size)
        image_logits = self.image(F.relu(x).mean((2, 3))).squeeze(1)
        h = F.relu(self.crop(crops.flatten(0, 1))).sum((2, 3)).unflatten(0, kinds.shape)
        return image_logits, self.object(h).squeeze(2) + (self.kinds(kinds) * h).sum(2)


def layers(cfg):
    """Return what makes convolutions, linear layers and D's embedding: plain, or with a norm."""
    kinds = (nn.Conv2d, nn.Linear, nn.Embedding)
    if not cfg.spectral:
        return kinds
    return tuple(lambda *args, kind=kind: spectral_norm(kind(*args)) for kind in kinds)


def filled(boxes, kinds):
    """Return which slots hold an object, 1 or 0, (N, num_things)."""
    return ((kinds > 0) & (boxes[..., 0] >= 0)).float()


def over_objects(values, there):
    """Return the mean of values, (N, num_things), over the slots that hold an object."""
    return (values * there).sum() / there.sum().clamp(min=1)


def d_loss(real_logits, fake_logits):
    """Return D's hinge loss of each logit: what real ones lack to 1, fake ones to -1.

    Parameters
    ----------
    real_logits, fake_logits : Tensor, (N,) or (N, num_things)

    Returns
    -------
    Tensor, of the same shape
    """
    return F.relu(1 - real_logits) + F.relu(1 + fake_logits)


def g_loss(fake_logits):
    """Return G's loss of each logit: the logit's negative."""
    return -fake_logits


def draw_z(cfg, n, generator=None, device="cpu"):
    """Draw latent vectors from N(0, 1), (n, latent_dim)."""
    return torch.randn(n, cfg.latent_dim, generator=generator, device=device)


def inputs(cfg):
    """Return the fields that a batch has for this configuration, by name."""
    things = tuple(f"thing {k}" for k in range(1, cfg.num_things + 1))
    kinds = tuple(f"kind {k}" for k in range(1, cfg.num_kinds + 1))
    shape = (cfg.image_channels, cfg.image_size, cfg.image_size)
    return {
        "real": Pictures(shape=shape),
        "boxes": Boxes(things=things),
        "kinds": Tokens(words=kinds, length=len(things)),
    }


def configure(preset, fields):
    """Return a preset's configuration, fitted to the fields of a data set."""
    real, boxes, kinds = (fields[name] for name in TAKES)
    return replace(
        PRESETS[preset],
        image_channels=real.channels,
        num_things=len(boxes.things),
        num_kinds=len(kinds.words),
    )


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
        If the layers do not fit the pictures, or no loss is left.
    """
    if not (cfg.lambda_img or cfg.lambda_obj):
        raise CourseError("lambda_img and lambda_obj are both 0: nobody would learn anything.")
    netG, netD = networks(cfg).values()
    for net in (netG, netD):
        for layer in net.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear | nn.Embedding):
                nn.init.orthogonal_(layer.weight)
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.zeros_(layer.bias)
    placed = replace(run, compile=run.compile and not cfg.r1)
    gan = GAN(cfg, PUBLISHED, netG=run.place(netG), netD=placed.place(netD))
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
        ``real``: (N, image_channels, H, W) in [-1, 1]; ``boxes`` and ``kinds`` of its objects.
    run : Run

    Returns
    -------
    dict of str to Tensor, ()
        The losses of pictures, "adv", and of objects, "obj".
    """
    cfg, real, (boxes, kinds) = gan.cfg, batch["real"], (batch["boxes"], batch["kinds"])
    there = filled(boxes, kinds)
    penalised = cfg.r1 > 0 and gan.step % cfg.r1_every == 0
    if penalised:
        real = real.detach().requires_grad_()
    with run.autocast():
        fake = gan.netG(draw_z(cfg, len(real), device=run.device), boxes, kinds)
        real_img, real_obj = gan.netD(real, boxes, kinds)
        fake_img, fake_obj = gan.netD(fake.detach(), boxes, kinds)
        adv_d = d_loss(real_img, fake_img).mean()
        obj_d = over_objects(d_loss(real_obj, fake_obj), there)
        loss_d = cfg.lambda_img * adv_d + cfg.lambda_obj * obj_d
    if penalised:
        judged = cfg.lambda_img * real_img
        judged = judged + cfg.lambda_obj * (real_obj * there).sum(1) / there.sum(1).clamp(min=1)
        loss_d = loss_d + cfg.r1 * cfg.r1_every * r1_penalty(real, judged)
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    with run.autocast():
        fake_img, fake_obj = gan.netD(fake, boxes, kinds)
        adv_g = g_loss(fake_img).mean()
        obj_g = over_objects(g_loss(fake_obj), there)
        loss_g = cfg.lambda_img * adv_g + cfg.lambda_obj * obj_g
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)

    log = {"D/adv": adv_d, "D/obj": obj_d, "G/adv": adv_g, "G/obj": obj_g}
    return {name: value.detach() for name, value in log.items()}


@torch.no_grad()
def sample(gan, n=None, *, boxes, kinds, z=None, seed=0):
    """Draw a picture for each layout, with the averaged generator if there is one.

    Parameters
    ----------
    gan : GAN
    n : int, optional
        Not used: there is one picture for each layout.
    boxes : Tensor, (N, num_things, 4)
        Left, top, right, bottom from 0 to 1; -1 in an empty slot.
    kinds : int64 Tensor, (N, num_things)
        From 1; 0 in an empty slot.
    z : Tensor, (N, latent_dim), optional
        The noise of the picture, then of each slot; drawn with the seed if left out.
    seed : int

    Returns
    -------
    Tensor, (N, image_channels, image_size, image_size)
        In [-1, 1].
    """
    with sampling(gan) as netG:
        device = device_of(netG)
        z = draw_rows(draw_z, gan.cfg, len(boxes), seed) if z is None else z
        return netG(*(value.to(device) for value in (z, boxes, kinds)))


@torch.no_grad()
def masks(gan, boxes, kinds, z):
    """Return the share that each object has of each pixel, (N, num_things, H, W) in [0, 1].

    Where boxes overlap, or with a backdrop, the masks compete: what an object's mask is divided by
    the sum of all masks in the pixel. The inputs are those of :func:`sample`.
    """
    with sampling(gan) as netG:
        device = device_of(netG)
        _, shares = netG.shares(*(value.to(device) for value in (z, boxes, kinds)))
        return shares[:, : gan.cfg.num_things]
