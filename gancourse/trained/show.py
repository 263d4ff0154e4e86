"""What is shown of a generator that is given something: what went in, what came out, the truth."""

from pathlib import Path

import torch

from gancourse import plotting
from gancourse.data import load
from gancourse.data.own import files, reading
from gancourse.errors import DataError
from gancourse.training.runtime import start

SHOWN = 12  # rows of pictures, while a run goes on


def held_out(module, name, cfg, n=SHOWN, like=None):
    """Return up to n rows of a data set's test split, with the fields that a GAN takes.

    Parameters
    ----------
    module : module
        The GAN's file.
    name : str
        The data set's.
    cfg : Config
        Decides the size of pictures.
    n : int
    like : dict of str to Field, optional
        See :meth:`gancourse.data.source.Data.take`.
    """
    data = load(name, split="test")
    return sized(data.first(min(n, len(data))).take(*module.TAKES, like=like), module.inputs(cfg))


def sized(data, wanted):
    """Return data with pictures of the largest size that some fields have."""
    sizes = [field.side for field in wanted.values() if field.side]
    return data.resized(max(sizes)) if sizes else data


def watch(module, data, run):
    """Return a function ``sample(gan, n)`` for the trainer: of the same rows each time.

    Parameters
    ----------
    module : module
        The GAN's file.
    data : gancourse.data.Data or None
        A few held-out rows; None will do for a GAN that needs nothing of them, see :func:`needed`.
    run : Run
    """
    if data is None or not needed(module, data.fields):
        return lambda gan, n: module.sample(gan, n)
    batch, together = data.preview(SHOWN, run)
    return lambda gan, n: rows_of(module, gan, data.fields, batch, together)


def needed(module, fields):
    """Return what a GAN cannot sample without, by name."""
    names = next(iter(module.SAMPLES.values()))
    return [name for name in names if name != "z" and fields[name].default(1) is None]


def rows_of(module, gan, fields, batch, together):
    """Sample from a batch, and lay what came out beside what went in.

    Parameters
    ----------
    module : module
        The GAN's file.
    gan : GAN
    fields : dict of str to Field
        Of the batch.
    batch : dict of str to Tensor
    together : bool
        Whether the rows of its fields belong together.

    Returns
    -------
    Tensor, (N, 3, H, columns * W)
        What was given, as far as it can be shown; what came out; and last, if there is one, the
        truth that it should equal, else the way back. Where a picture is given other labels, the
        last is a picture that has these. Without a picture in what is given, the samples alone.
    """
    made, names = next(iter(module.SAMPLES.items()))
    names = [name for name in names if name != "z"]
    given = {name: batch[name] for name in names}
    if made in names:  # the picture is edited: each gets what its neighbour has
        given |= {name: batch[name].roll(1, 0) for name in names if name != made}
    rows = len(batch[made]) if made in batch else len(next(iter(given.values())))
    after = module.sample(gan, rows, **given)
    columns = [fields[name].pictures(value) for name, value in given.items()]
    columns = [column for column in columns if column is not None]
    if not columns:
        return after
    if made in names:
        last = [batch[made].roll(1, 0)]
    elif together:
        last = [batch[made]]
    else:
        back = [name for name, of in module.SAMPLES.items() if of == (made,)]
        last = [module.sample(gan, rows, **{made: after}) for _ in back]
    return plotting.side_by_side(*columns, after, *last)


def examples(g, n, seed=0, *, path=None, given=None):
    """Return samples of a trained generator, beside what it was given if that can be shown.

    Parameters
    ----------
    g : TrainedGenerator
    n : int
        How many, at most.
    seed : int
        Of the noise.
    path : str or pathlib.Path, optional
        A picture, or a folder of them, to translate.
    given : dict of str to str, optional
        What else to give, in words: a class, labels with commas between, a text.

    Returns
    -------
    Tensor, (N, C, H, W), or (N, 2)
        See :func:`rows_of`; what is not given by the user is taken from the held-out rows of the
        generator's data.

    Raises
    ------
    CourseError
        If a picture can't be read, or something doesn't fit the generator.
    """
    given = dict(given or {})
    if path is not None:
        if g.pictures is None:
            raise DataError(f"{g!r} is given no pictures: leave out --input.")
        field = g.fields[g.pictures]
        given[g.pictures] = read_pictures(path, field.side, field.channels, n)
        return plotting.side_by_side(given[g.pictures], g.sample(seed=seed, **given))
    if given or not needed(g.module, g.fields):
        return g.sample(n, seed, **given).float().cpu()
    data = held_out(g.module, g.card["data"], g.cfg, n, g.fields)
    batch, together = data.preview(n, start("cpu"))
    return rows_of(g.module, g.gan, data.fields, batch, together).float().cpu()


def read_pictures(path, size, channels, n=None):
    """Read one picture, or those of a folder in the order of their names.

    Parameters
    ----------
    path : str or pathlib.Path
    size : int
        Pixels a side; see :func:`gancourse.data.own.reading.square`.
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
        pictures, others = files.pictures_in(path)
        if not pictures:
            raise DataError(f"{path} holds no pictures{files.among(others)}.")
    elif path.exists():
        pictures = [files.Picture(path, path.name)]
    else:
        raise DataError(f"there is no picture or folder {files.shown(path)}.")
    records = [files.Record(picture.name, (picture,)) for picture in pictures[:n]]
    found = reading.read(path, records, size).float()
    if channels == 1:  # the weights of brightness in ITU-R 601, as Pillow has them
        found = (found * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    return found / 127.5 - 1
