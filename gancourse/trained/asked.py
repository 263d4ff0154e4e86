"""What a user or a card asks for, checked before anything is drawn."""

from gancourse.data import DATASETS, own
from gancourse.errors import CourseError, choose, printable
from gancourse.fields import Classes, Points

MOST = 2_048  # samples in one picture
PIXELS = 2**21  # of all samples in one picture
DRAWN = 64  # samples in a picture if no number is asked for
ROWS = 100_000  # of a data set that a card may name, at most


def how_many(g, n=None):
    """Return the number of samples to show: ``n``, or 64 if that is left out and they fit.

    Raises
    ------
    CourseError
        If one picture cannot show as many.
    """
    field = g.fields[next(iter(g.module.SAMPLES))]
    if isinstance(field, Points):
        if field.dimensions != 2:
            raise CourseError(
                f"{g!r} makes points of {field.dimensions} numbers; only points of the plane can "
                "be drawn. Use gancourse.trained.load in Python."
            )
        most = MOST
    else:
        columns = 3 if g.pictures else 1
        most = max(1, min(MOST, PIXELS // (columns * field.shape[1] * field.shape[2])))
    if n is not None and not 0 < n <= most:
        raise CourseError(
            f"one picture shows 1 to {most:,} samples of {g!r}, not {n:,}. In Python, "
            "gancourse.trained.load(...).sample(n) draws more."
        )
    return n or min(DRAWN, most)


def conditions(g, given):
    """Return a user's conditions, words by the names of inputs, as tensors of one row.

    Raises
    ------
    CourseError
        If a name is no condition of the generator, or a value does not fit.
    """
    names = {name for names in g.module.SAMPLES.values() for name in names} - {"z"}
    known = sorted(name for name in names if g.fields[name].side is None)
    for name in given if not known else ():
        raise CourseError(f"{g!r} takes no conditions: leave out {printable(name, 60)}.")
    return {
        choose(f"condition of {g.card['model']}", name, known): g.fields[name].check(name, value)[0]
        for name, value in given.items()
    }


def told(g, given):
    """Return what the generator was told of its samples, for a line of text; "" if nothing."""
    said = [f"{name} {value}" for name, value in given.items()]
    for name in g.given:
        if name not in given and isinstance(g.fields.get(name), Classes):
            said.append(f"{name} {', '.join(g.fields[name].known)}, in turn")
    return printable("; ".join(said), 300)


def is_of_the_course(name):
    """Return whether a data set's name makes us read no path, and no more rows than usual."""
    kind, *options = str(name).split(":")
    small = (not part.isdecimal() or (len(part) < 7 and int(part) <= ROWS) for part in options)
    return kind in DATASETS and not {kind, *options} & {*own.KINDS} and all(small)
