"""What is shown of a translator: pictures that went in, what came out, what was wanted."""

import inspect
from pathlib import Path

import torch

from gancourse import plotting
from gancourse.data import images, load
from gancourse.data.joint import JointImages
from gancourse.errors import CourseError, DataError
from gancourse.training.runtime import start

SHOWN = 12  # pictures, while a run goes on


def is_translator(module):
    """Whether a GAN's file translates pictures, and doesn't draw them from noise."""
    return not hasattr(module, "draw_z")


def fitting(module, name, data, labels=()):
    """Return data in the form that a GAN trains on, or say why they can't be.

    Parameters
    ----------
    module : module
        The GAN's file.
    name : str
        The GAN's, for the message.
    data
        What :func:`gancourse.data.load` returned.
    labels : sequence
        For a GAN that is told a target: the label sets to learn, each as
        :class:`~gancourse.data.joint.JointImages` takes them. Left out, all attributes, or the
        classes.

    Returns
    -------
    data
        Pairs for a translator that needs them; two sides for one that needs those; pictures with
        their labels, and the number of the set, for one that is told a target; else as they are.

    Raises
    ------
    CourseError
        If the data have no such form.
    """
    sides = hasattr(data, "paired")
    if not is_translator(module):
        if sides:
            raise CourseError(
                f"{name} draws pictures from noise, but {data.name} has two sides to translate "
                "between. Take pix2pix or cyclegan, or other data."
            )
        return data
    if "target" in inspect.signature(module.sample).parameters:
        if sides or len(data.shape) != 3:
            raise CourseError(
                f"{name} needs pictures with labels or attributes, such as toons or emoji, "
                f"not {data.name}."
            )
        return data if isinstance(data, JointImages) else _joint(data, labels)
    needs_pairs = getattr(module, "PAIRED", False)
    if not sides or (needs_pairs and not data.paired):
        what, such = ("pairs", "sketch2face") if needs_pairs else ("two sides", "studios")
        raise CourseError(
            f"{name} translates pictures and needs {what}, such as {such}, not {data.name}. "
            "`gancourse data list` shows what there is."
        )
    if data.paired and not needs_pairs:
        return data.unpaired()
    return data


def _joint(data, labels):
    return JointImages([(data, names) for names in labels or [None]], data.name)


def facts(data):
    """Return what data for a translator decide about a configuration, by field."""
    if hasattr(data, "paired"):
        return {"channels_A": data.a.shape[0], "channels_B": data.b.shape[0]}
    if isinstance(data, JointImages):
        return {"label_kinds": data.label_kinds, "label_sizes": data.label_sizes}
    return {}


def strips(module, gan, batch):
    """Translate a batch, and lay what came out between what went in and what was wanted.

    Parameters
    ----------
    module : module
        The translator's file.
    gan : GAN
    batch : dict
        As for its ``train_step``, with ``paired``: whether the rows of both sides belong together.

    Returns
    -------
    Tensor, (N, 3, H, 3 W)
        Input, output and target. Without a target, the third is the way back. Where a target is a
        label, it stands for a picture that has it.
    """
    if "real" in batch:
        wanted, labels = batch["real"].roll(1, 0), batch["labels"].roll(1, 0)
        return plotting.side_by_side(
            batch["real"], module.sample(gan, batch["real"], labels), wanted
        )
    before = batch["real_A"]
    after = module.sample(gan, before)
    if batch["paired"]:
        return plotting.side_by_side(before, after, batch["real_B"])
    return plotting.side_by_side(before, after, module.sample(gan, after, direction="BA"))


def unseen(module, name, data_name, image_size, n, labels=()):
    """Return up to n pictures of a data set's test split, in the form of :func:`fitting`.

    Where pairs are hidden in it, they are what is returned.
    """
    data = load(data_name, split="test")
    each = max(1, n // max(1, len(labels)))  # of several label sets each has its share
    data = fitting(module, name, data.first(min(each, len(data))), labels).resized(image_size)
    return getattr(data, "hidden", None) or data


def held_out(module, data, run):
    """Return a function ``sample(gan, n)`` for the trainer: strips of the same pictures each time.

    Parameters
    ----------
    module : module
        The translator's file.
    data
        A few pictures, as of :func:`unseen`.
    run : Run
    """
    n = min(len(data.a), len(data.b)) if hasattr(data, "paired") else len(data)
    batch = data.batch(0, n, run) | {"paired": getattr(data, "paired", False)}
    return lambda gan, _: strips(module, gan, batch)


def examples(g, n, path=None):
    """Return strips of what a trained translator makes of pictures.

    Parameters
    ----------
    g : TrainedGenerator
    n : int
        How many, at most.
    path : str or pathlib.Path, optional
        A picture, or a folder of them, in place of those that its data hold out.

    Returns
    -------
    Tensor, (N, 3, H, 2 W or 3 W)
        Input, output, and what :func:`strips` has for third; of pictures of one's own the first
        two alone.

    Raises
    ------
    CourseError
        If a picture can't be read, or the translator has to be told more than the picture.
    """
    model, run = g.card["model"], start("cpu")
    if path is None:
        labels = g.card.get("labels", ())
        data = unseen(g.module, model, g.card["data"], g.cfg.image_size, n, labels)
        return held_out(g.module, data, run)(g.gan, n)
    if not hasattr(g.cfg, "channels_A"):
        raise CourseError(
            f"{g!r} must be told a target for each picture: use translate() in Python."
        )
    found = read_pictures(path, g.cfg.image_size, g.cfg.channels_A, n)
    return plotting.side_by_side(found, g.translate(found))


def read_pictures(path, size, channels, n=None):
    """Read one picture, or those of a folder in the order of their names.

    Parameters
    ----------
    path : str or pathlib.Path
    size : int
        Pixels a side; see :func:`gancourse.data.images.square`.
    channels : int
        1 makes them grey.
    n : int, optional
        How many of a folder, at most.

    Returns
    -------
    float32 Tensor, (N, channels, size, size)
        In [-1, 1].

    Raises
    ------
    DataError
        If there is none, or one can't be read.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        pictures, others = images.pictures_in(path)
        if not pictures:
            found = f" among {len(others):,} files ({images.some(others)})" if others else ""
            raise DataError(f"{path} holds no pictures{found}.")
    elif path.exists():
        pictures = [images.Picture(path, path.name)]
    else:
        raise DataError(f"there is no picture or folder {images.shown(path)}.")
    found = images.read_pictures(path, pictures[:n], size).float()
    if channels == 1:  # the weights of brightness in ITU-R 601, as Pillow has them
        found = (found * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    return found / 127.5 - 1
