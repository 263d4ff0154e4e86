"""Pictures of what a generator does: its inputs, its samples and, if known, the targets."""

import functools

import torch

from gancourse.data import load
from gancourse.data.own import files, reading
from gancourse.errors import DataError
from gancourse.fields import Pictures
from gancourse.files import paths
from gancourse.trained import asked
from gancourse.training.runtime import Run

SHOWN = 12  # rows in a picture of a run


def held_out(module, name, cfg, n=SHOWN, like=None):
    """Return the first rows of a data set's test split, with the fields that a GAN takes.

    Parameters
    ----------
    module : module
        The GAN's file.
    name : str
        The name of the data set.
    cfg : Config
        Its image size is that of the pictures.
    n : int
        How many rows, at most.
    like : dict of str to Field, optional
        See :meth:`gancourse.data.source.Data.take`.

    Returns
    -------
    gancourse.data.Data
    """
    data = load(name, split="test")
    return sized(data.first(min(n, len(data))).take(*module.TAKES, like=like), module.inputs(cfg))


def sized(data, wanted):
    """Return data with pictures of the largest size that some fields have."""
    sizes = [field.side for field in wanted.values() if field.side]
    return data.resized(max(sizes)) if sizes else data


def watch(module, data, run):
    """Return a function ``sample(gan, n)`` for the trainer, which uses the same inputs each time.

    Parameters
    ----------
    module : module
        The GAN's file.
    data : gancourse.data.Data or None
        A few held-out rows. They are not used if the GAN needs no inputs: see :func:`needed`.
        Then None is enough.
    run : Run
    """
    if data is None or not needed(module, data.fields):
        return lambda gan, n: module.sample(gan, n)
    batch, together = data.preview(SHOWN, run)

    def sample(gan, n):
        return rows_of(module, functools.partial(module.sample, gan), data.fields, batch, together)

    return sample


def needed(module, fields):
    """Return the names of the inputs without which a GAN cannot sample."""
    names = next(iter(module.SAMPLES.values()))
    return [name for name in names if name != "z" and fields[name].default(1) is None]


def rows_of(module, sample, fields, batch, together, own=None):
    """Sample with the inputs of a batch, and put the samples beside the inputs.

    Parameters
    ----------
    module : module
        The GAN's file.
    sample : callable
        ``sample(n, **given)`` returns samples.
    fields : dict of str to Field
        The fields of the batch.
    batch : dict of str to Tensor
    together : bool
        Whether row i of one field belongs to row i of the others.
    own : dict of str to Tensor, optional
        A user's values, in place of those of the batch.

    Returns
    -------
    dict of str to Tensor, (N, C, H, W)
        Columns by title: the inputs that can be shown as pictures; the samples; a last column. If
        the GAN edits a picture by labels, the last column is the picture that has these labels.
        Otherwise it is the target, if rows belong together, or the sample translated back, if the
        GAN can. There is none beside a user's values. If no input can be shown, the samples alone:
        a Tensor, (N, C, H, W), or (N, 2).
    """
    made, names = next(iter(module.SAMPLES.items()))
    names = [name for name in names if name != "z"]
    given = {name: batch[name] for name in names}
    labels = [name for name in names if fields[name].side is None]
    edited = made in names and labels  # each picture gets its neighbour's labels
    if edited:
        given |= {name: batch[name].roll(1, 0) for name in labels}
    given |= own or {}
    rows = len(batch[made]) if made in batch else len(next(iter(given.values())))
    after = sample(rows, **given)
    pictures = {name: fields[name].pictures(value) for name, value in given.items()}
    columns = {
        "input" if name == made else name: column
        for name, column in pictures.items()
        if column is not None
    }
    if not columns:
        return after
    columns["output"] = after
    if own:
        return columns
    if edited:
        return columns | {"has the asked labels": batch[made].roll(1, 0)}
    if together:
        return columns | {"target": batch[made]}
    if (made,) in module.SAMPLES.values():
        columns["translated back"] = sample(rows, **{made: after})
    return columns


def examples(g, n=None, seed=0, *, path=None, given=None):
    """Return samples of a trained generator, beside those inputs that can be shown.

    Parameters
    ----------
    g : TrainedGenerator
    n : int, optional
        How many, at most. If left out, 64, or fewer large ones.
    seed : int
        Seed of the noise.
    path : str or pathlib.Path, optional
        A picture, or a folder of them, to translate.
    given : dict of str to str, optional
        Other inputs in words: a class, labels with commas between, a text.

    Returns
    -------
    Tensor, (N, C, H, W), or (N, 2), or a dict of str to Tensor
        See :func:`rows_of`. Needed inputs, if none are given, are held-out rows of the generator's
        data, if these are a data set of the course: what a file says makes us read no other.

    Raises
    ------
    CourseError
        If one picture cannot show ``n`` samples, a picture cannot be read, or an input is missing
        or does not fit the generator.
    """
    n, values = asked.how_many(g, n), asked.conditions(g, given or {})
    if path is not None:
        if g.pictures is None:
            raise DataError(f"{g!r} takes no pictures: leave out --input.")
        field = g.fields[g.pictures]
        values[g.pictures] = read_pictures(path, field.side, field.channels, n)
        n = len(values[g.pictures])
    wanted = needed(g.module, g.fields)
    if not wanted:
        return g.sample(n, seed, **values)
    if values.keys() >= {*wanted}:
        samples = g.sample(n, seed, **values)
        return {"input": values[g.pictures], "output": samples} if g.pictures else samples
    data = held_out_by_card(g, n, [name for name in wanted if name not in values])
    batch, together = data.preview(n, Run(device=torch.device("cpu")))
    rows = len(next(iter(batch.values())))
    own = {name: g.fields[name].check(name, value, rows) for name, value in values.items()}
    sample = functools.partial(g.sample, seed=seed)
    return rows_of(g.module, sample, data.fields, batch, together, own)


def held_out_by_card(g, n, wanted):
    """Return held-out rows of the data that a generator's card names; ``wanted`` is for messages.

    Raises
    ------
    DataError
        If the card names no data set of the course, or one that does not fit the generator.
    """
    maps = [
        name for name in wanted if not isinstance(g.fields[name], Pictures) and g.fields[name].side
    ]
    options = " and ".join(
        f"--given {name} VALUE" if g.fields[name].side is None else "--input PICTURES"
        for name in wanted
    )
    remedy = f"Say what to use instead, with {options}."
    if maps:  # no option reads these
        remedy = f"In Python, gancourse.trained.load(FILE).sample({maps[0]}=...) takes your own."
    name = g.card.get("data")
    if not asked.is_of_the_course(name):
        raise DataError(
            f"{g!r} needs {' and '.join(wanted)}, and its data are not the course's. {remedy}"
        )
    data = held_out(g.module, name, g.cfg, n, g.fields)
    for field in g.given:
        if field != "z" and not g.fields[field].fits(data.fields[field]):
            there = data.fields[field]
            raise DataError(
                f"{g!r} takes {field} as {g.fields[field]}; {name} has {there}. {remedy}"
            )
    return data


def read_pictures(path, size, channels, n=None):
    """Read a picture, or the pictures of a folder in the order of their names.

    Parameters
    ----------
    path : str or pathlib.Path
    size : int
        Side in pixels; see :func:`gancourse.data.own.decoding.decode`.
    channels : int
        3 for colour; 1 makes the pictures grey.
    n : int, optional
        How many pictures, at most.

    Returns
    -------
    float32 Tensor, (N, channels, size, size)
        In [-1, 1].

    Raises
    ------
    DataError
        If there is no picture, or one cannot be read.
    """
    records = [files.Record(picture.name, (picture,)) for picture in pictures_of(path)[:n]]
    found = reading.read(path, records, size).float()
    if channels == 1:  # luma of ITU-R 601, as in Pillow
        found = (found * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    return found / 127.5 - 1


def pictures_of(path):
    """Return a picture, or the pictures of a folder in the order of their names, unopened.

    Parameters
    ----------
    path : str or pathlib.Path

    Returns
    -------
    list of gancourse.data.own.files.Picture

    Raises
    ------
    DataError
        If there is none.
    """
    path = paths.given(path, "the input")
    if path.is_dir():
        pictures, others = files.pictures_in(path)
        if not pictures:
            raise DataError(f"{files.shown(path)} holds no pictures{files.among(others)}.")
        return pictures
    if not path.exists():
        raise DataError(f"there is no picture or folder {files.shown(path)}.")
    return [files.Picture(path, path.name)]


def spare(path, output):
    """Check that a file which will be written is none of the pictures that are read.

    Parameters
    ----------
    path : str or pathlib.Path
        See :func:`pictures_of`.
    output : pathlib.Path
        Links in either path are followed.

    Raises
    ------
    DataError
        If it is one of them, or there is no picture.
    """
    if not output.exists():
        return
    for picture in pictures_of(path):
        if picture.path.exists() and output.samefile(picture.path):
            raise DataError(
                f"{files.shown(output)} is one of the pictures of --input ({picture}), and would "
                "be overwritten. Choose another --output."
            )
