"""Trained generators: those that ship with the course, and those of one's own runs.

>>> g = pretrained("vanilla-digits")
>>> g.sample(4, seed=1).shape
torch.Size([4, 1, 28, 28])
>>> g = pretrained("pix2pix-sketch2face")
>>> g.translate(torch.ones(1, 1, 64, 64)).shape
torch.Size([1, 3, 64, 64])
"""

import inspect
from pathlib import Path

import torch

from gancourse import gans
from gancourse.data import shipped
from gancourse.errors import CheckpointError, CourseError, choose
from gancourse.training import checkpoint
from gancourse.training.gan import GAN
from gancourse.training.runtime import find_device

FOLDER = "pretrained"  # inside data/


class TrainedGenerator:
    """Trained weights, the code that they belong to, and what is known of them.

    :func:`pretrained` and :func:`load` return one; a lesson makes one of the GAN that it has just
    trained, ``TrainedGenerator(gan, vanilla)``.

    Parameters
    ----------
    gan : GAN
        Holds ``netG``, or ``netG_AB`` and ``netG_BA``.
    module : module
        The file of ``gancourse.gans`` that the weights were trained with.
    card : dict, optional
        ``model``, ``data``, ``step``, ``seed``, ``config``, ...; for what ships also the measured
        quality. By default the model and the step.

    Attributes
    ----------
    gan, module, card
        As above.
    translates : bool
        Whether it takes pictures (:meth:`translate`) or noise (:meth:`sample`).
    """

    def __init__(self, gan, module, card=None):
        self.gan, self.module = gan, module
        self.card = card or {"model": module.__name__.rpartition(".")[2], "step": gan.step}
        self.conditional = "labels" in inspect.signature(module.sample).parameters
        self.translates = not hasattr(module, "draw_z")

    def __repr__(self):
        model, data = self.card["model"], self.card.get("data", "unknown data")
        return f"<{model} trained on {data}, {self.card['step']:,} steps>"

    def __call__(self, z, labels=None):
        """Return what z, (n, latent_dim), becomes: (n, C, H, W) in [-1, 1]; see :meth:`sample`."""
        return self.sample(len(z), z=z, labels=labels)

    @property
    def cfg(self):
        """The configuration of the run."""
        return self.gan.cfg

    @property
    def netG(self):
        """The generator network: its average of weights, if the run kept one."""
        return self.gan.netG

    @property
    def latent_dim(self):
        """How many numbers make a z."""
        return self.cfg.latent_dim

    def draw_z(self, n, seed=0):
        """Return n latent vectors of the model's prior, (n, latent_dim)."""
        device = next(self.netG.parameters()).device
        generator = torch.Generator(device).manual_seed(seed)
        return self.module.draw_z(self.cfg, n, generator, device)

    def sample(self, n, seed=0, *, labels=None, z=None):
        """Draw ``n`` samples.

        Parameters
        ----------
        n : int
        seed : int
            Of the noise: the same seed gives the same samples.
        labels : int, sequence of int or int64 Tensor (n,), optional
            The class of each sample, or of all; only where the model takes classes. Left out, the
            classes come in turn.
        z : Tensor, (n, latent_dim), optional
            The noise itself, in place of ``seed``.

        Returns
        -------
        Tensor, (n, C, H, W)
            In [-1, 1], without gradient.

        Raises
        ------
        CourseError
            If ``n`` is not a positive number, the labels don't fit the model, or it translates.
        """
        if self.translates:
            raise CourseError(f"{self!r} translates pictures: use translate(images).")
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise CourseError(f"n is how many samples to draw, 1 or more, not {n!r}")
        if z is not None and tuple(z.shape) != (n, self.latent_dim):
            raise CourseError(
                f"z must have the shape ({n}, {self.latent_dim}), but has {tuple(z.shape)}"
            )
        if labels is None:
            return self.module.sample(self.gan, n, seed=seed, z=z)
        return self.module.sample(self.gan, n, seed=seed, z=z, labels=self._labels(labels, n))

    def translate(self, images, target=None, **options):
        """Translate pictures; a pure function of what it is given.

        Parameters
        ----------
        images : Tensor, (N, C, H, W)
            In [-1, 1], of the size and the channels that the model was trained on.
        target : Tensor, (N, total labels) or (total labels,), optional
            The labels that the pictures shall have, 0 or 1; where the model takes them (stargan).
        **options
            What else the model's own ``sample`` takes: ``seed`` (pix2pix), ``direction``
            (cyclegan).

        Returns
        -------
        Tensor, (N, C, H, W)
            In [-1, 1], without gradient.

        Raises
        ------
        CourseError
            If the pictures or the options don't fit the model, or it draws from noise.
        """
        if not self.translates:
            raise CourseError(f"{self!r} draws pictures from noise: use sample(n).")
        known = list(inspect.signature(self.module.sample).parameters)[2:]
        for option in (*options, *(["target"] if target is not None else [])):
            choose("option", option, known)
        self._check(images, options.get("direction", "AB"))
        if "target" in known:
            options["target"] = self._target(target, images)
        return self.module.sample(self.gan, images.float(), **options)

    def _check(self, images, direction):
        side = "A" if direction != "BA" else "B"
        channels = getattr(self.cfg, f"channels_{side}", None) or self.cfg.image_channels
        size = self.cfg.image_size
        found = images.shape if isinstance(images, torch.Tensor) else ()
        if len(found) != 4 or not found[0]:
            raise CourseError(f"images must be a tensor of shape (N, {channels}, {size}, {size})")
        if tuple(found[1:]) != (channels, size, size):
            raise CourseError(
                f"{self!r} takes pictures of {channels} x {size} x {size} (channels, height, "
                f"width), not {' x '.join(map(str, found[1:]))}."
            )
        low, high = (images.min().item(), images.max().item())
        if not images.is_floating_point() or not (low >= -1.001 and high <= 1.001):
            raise CourseError(
                f"images must be floating point numbers in [-1, 1], not {images.dtype} in "
                f"[{low:g}, {high:g}]. Bytes become such by images / 127.5 - 1."
            )

    def _target(self, target, images):
        total = sum(self.cfg.label_sizes)
        if target is None:
            raise CourseError(f"{self!r} needs target=: {total} numbers of 0 or 1 for each picture")
        try:
            target = torch.as_tensor(target, dtype=torch.float32)
        except (TypeError, ValueError) as problem:
            raise CourseError(
                f"target must be {total} numbers of 0 or 1, not {target!r:.80}"
            ) from problem
        target = target.expand(len(images), -1) if target.ndim == 1 else target
        if target.shape != (len(images), total) or not ((target == 0) | (target == 1)).all():
            raise CourseError(
                f"target must be {total} numbers of 0 or 1, or as many for each of the "
                f"{len(images)} pictures, not of shape {tuple(target.shape)}"
            )
        return target

    def _labels(self, labels, n):
        if not self.conditional:
            raise CourseError(f"{self!r} knows no classes: leave out labels.")
        labels = torch.as_tensor(labels)
        if labels.ndim == 0:
            labels = labels.expand(n)
        last = self.cfg.num_classes - 1
        if labels.shape != (n,) or labels.is_floating_point():
            found = f"{labels.dtype} of shape {tuple(labels.shape)}"
            raise CourseError(f"labels must be a class, or {n} of them, not {found}")
        if labels.min() < 0 or labels.max() > last:
            raise CourseError(f"labels must lie in 0..{last}, not {labels.min()}..{labels.max()}")
        return labels.long()


def names():
    """Return the names of the generators that ship."""
    return sorted(path.stem for path in shipped(FOLDER).glob("*.safetensors"))


def pretrained(name, device="cpu"):
    """Return a trained generator that ships with the course.

    Parameters
    ----------
    name : str
        The model and its data, as in "dcgan-toons".
    device : str or torch.device
        Where it shall lie.

    Returns
    -------
    TrainedGenerator

    Raises
    ------
    CourseError
        If there is no such generator, or its file is missing or damaged.
    """
    choose("pretrained generator", name, names())
    return load(shipped(f"{FOLDER}/{name}.safetensors"), device)


def load(path, device="cpu"):
    """Return the trained generator in a file or in the folder of a run.

    Nothing in the file is run: it holds numbers and text. The random state is left alone.

    Parameters
    ----------
    path : str or pathlib.Path
        ``generator.safetensors`` of a run, or the run's folder.
    device : str or torch.device

    Returns
    -------
    TrainedGenerator

    Raises
    ------
    CheckpointError
        If the file is missing or damaged, holds something else, or was written by another version.
    """
    path, device = Path(path), find_device(device)
    path = path / "generator.safetensors" if path.is_dir() else path
    states, header = checkpoint.load(path)
    card = header.get("card") or {}
    if "model" not in card or "config" not in card:
        raise CheckpointError(f"{path} does not say which GAN it holds; it is no generator's file.")
    module = gans.find(card["model"])
    try:
        cfg = module.Config(**{name: _frozen(value) for name, value in card["config"].items()})
    except TypeError as error:
        raise CheckpointError(
            f"{path} was written by another version of {card['model']}: {error}. Train it again."
        ) from error
    with torch.device("meta"):  # no initial weights are drawn
        gan = GAN(cfg, **{name: _network(module, cfg, name) for name in states})
    for name, net in gan.generators().items():
        full = {k: v.float() if v.is_floating_point() else v for k, v in states[name].items()}
        try:
            net.load_state_dict(full, assign=True)
        except RuntimeError as error:
            raise CheckpointError(f"{path} does not fit {name!r}: {error}") from error
        net.to(device).eval().requires_grad_(False)
    gan.step = card["step"]
    return TrainedGenerator(gan, module, card)


def _frozen(value):
    """Return what JSON made of a field of a Config: its tuples became lists."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _network(module, cfg, name):
    """Return an empty network for weights named netG, or netG_AB for one of several ways."""
    way = name.partition("_")[2]
    return module.Generator(cfg, way) if way else module.Generator(cfg)
