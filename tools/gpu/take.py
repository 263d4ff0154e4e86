"""Put into the repository what `make gpu` brought back and what is better: ``make gpu-take``.

The folder comes from another machine and is not trusted. The results are checked against their
types; weights are read by the readers of the course, measured again here, and written anew.
"""

import argparse
import tempfile
from pathlib import Path

from gancourse import trained
from gancourse.errors import CourseError
from gancourse.files.writing import write_atomically
from gancourse.training import checkpoint
from tools import train_pretrained
from tools.gpu import results
from tools.gpu.results import BENCHMARKS, say

# What a card may say besides what this machine finds out itself.
ABOUT = ("preset", "changes", "seed", "precision", "device", "seconds", "torch", "date", "commit")
CLOSE = 0.05  # how far a measure may be from the one in the card: rounding differs by machine


def take(folder, shipped=train_pretrained.SHIPPED, benchmarks=BENCHMARKS):
    """Take what is better from a folder, and the figures of a GPU.

    Figures replace those on record of the same GAN, lesson or piece, and leave the others.

    Parameters
    ----------
    folder, shipped, benchmarks : path
        Of the results; of the weights that ship; of the benchmark's files.

    Returns
    -------
    list of str
        The names of the weights that were taken.

    Raises
    ------
    CourseError
        If the folder holds no results, or the record cannot be read. Weights that do not fit are
        refused with a line.
    """
    found = results.read(folder)
    kind = found.origin.kind
    if kind == "cpu":
        say("the results are a CPU's: its figures are left out, its weights are looked at")
    else:
        say(f"taken: figures into {', '.join(results.record(benchmarks, found))}")
    taken = []
    with tempfile.TemporaryDirectory(prefix="gancourse-take-") as work:
        for name, path in results.unpack(folder, train_pretrained.RECIPES, work):
            if path is None:
                say(f"refused: {name} is no recipe's file, is too large, or is there twice")
                continue
            try:
                say(f"taken: {name}, {take_weights(name, path, Path(shipped))}")
                taken.append(name)
            except CourseError as problem:
                say(f"refused: {name}: {problem}")
    if taken:
        say("now: make leads, make test, and look at the pictures")
    return taken


def take_weights(name, path, shipped):
    """Put a generator's file in the place of the one that ships, if it is better.

    Returns
    -------
    str
        What is better.

    Raises
    ------
    CourseError
        If it is not better, or its card, its weights or its quality are not what they should be.
    """
    recipe = train_pretrained.RECIPES[name]
    g = trained.load(path)
    if (g.card["model"], g.card.get("data")) != (recipe.model, recipe.data):
        raise CourseError(f"it holds {g!r}, not {recipe.model} on {recipe.data}.")
    old = shipped / f"{name}.safetensors"
    before = results.quality_of(old)
    quality = train_pretrained.measure(g, recipe.data)
    for measure, value in (g.card.get("quality") or {}).items():
        mine = quality.get(measure)
        if results.is_number(value) and results.is_number(mine):
            if abs(value - mine) > max(CLOSE * abs(mine), 0.01):
                raise CourseError(f"its card says {measure} {value:g}; here it is {mine:g}.")
    better, why = results.compare(quality, before)
    if not better:
        raise CourseError(f"{why}.")
    given = {name for names in g.module.SAMPLES.values() for name in names}
    fields = {n: field.card() for n, field in g.fields.items() if n in given}
    card = {"model": recipe.model, "data": recipe.data, "fields": fields, "quality": quality}
    card |= {
        key: g.card[key] for key in ABOUT if isinstance(g.card.get(key), str | int | float | dict)
    }
    checkpoint.save_generator(path, g.gan, half=True, **card)
    trained.load(path)
    if path.stat().st_size > results.LARGEST:
        raise CourseError(f"its file would have {path.stat().st_size:,} bytes.")
    write_atomically(old, path.read_bytes())
    return why


def main():
    """Take from the folder that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tools.gpu.take", description=__doc__)
    parser.add_argument("folder", type=Path)
    try:
        take(parser.parse_args().folder)
    except CourseError as problem:
        parser.exit(2, f"refused: {problem}\n")


if __name__ == "__main__":
    main()
