"""What `make gpu` brings back: one JSON file, weights in a few zip files, and a log.

A folder from another machine is not trusted: the JSON is checked against the types below, and
weights are read by the readers of the course alone.
"""

import json
import zipfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from gancourse import bench
from gancourse.bench.machine import Origin
from gancourse.errors import CourseError, printable
from gancourse.files import schema, statefile
from gancourse.files.schema import Count, Finite
from gancourse.files.writing import write_atomically

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / bench.FOLDER
RESULTS, LOG, WEIGHTS = "results.json", "log.txt", "weights-{}.zip"
FILE = 15 * 2**20  # bytes of a file, at most
ZIPS = 5
LARGEST = 4_000_000  # bytes of a generator's file that may ship
LONGEST_LOG = 2_000_000  # characters

# Whether a measure is better when it is larger; the first that two cards share decides.
DECIDING = {
    "judge_fid": False,
    "thumbnail_fid": False,
    "inside": False,
    "asked": False,
    "l1": False,
}
LARGER = ("class_accuracy", "worst_class", "per_pixel", "per_class", "iou")
SAME = ("pictures", "faces", "l1_of_input")  # of what was measured, not of the generator


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What became of a piece of the plan."""

    name: str
    status: Literal["done", "stopped", "failed", "not begun"]
    seconds: Finite


@dataclass(frozen=True, kw_only=True)
class Tests:
    """The tests marked ``gpu``."""

    passed: int
    failed: list[str]
    skipped: int


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """A step of a GAN against the same step on the CPU in fp32."""

    gan: str
    how: str  # precision and memory format
    losses: float  # the largest difference of a loss, relative to the larger of it and 1
    gradients: dict[str, float]  # by player: |difference| / |gradient|
    agrees: bool


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A lesson that was executed from its first cell on."""

    name: str
    cells: tuple[int, int]  # executed, all
    seconds: Finite
    claims: list[tuple[str, bool | None]]
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A recipe that was trained; `make gpu-take` measures what comes of it."""

    name: str
    step: Count
    seconds: Finite
    fits: bool  # whether its file is small enough to ship


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A training of a few hundred steps in one setting, with one seed."""

    how: str  # device, precision and the rest, as a run says it
    seed: int
    losses: dict[str, list[Finite | None]]  # means of each window; None if no step had the loss
    quality: Finite


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether two settings lead to the same, up to what seeds change."""

    of: str  # "quality", or a loss
    means: tuple[Finite, Finite]  # over the seeds; of plain fp32 first
    spread: Finite  # how far the seeds of a setting are apart
    agree: bool


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Trainings of a GAN in two settings."""

    gan: str
    data: str
    preset: str
    measure: str  # of the quality
    steps: list[int]  # at which the windows of the losses end
    tries: list[Curve]
    verdicts: list[Verdict]


@dataclass(frozen=True, kw_only=True)
class Results:
    """All that came back, but for the weights."""

    origin: Origin
    budget: Finite
    pieces: list[Piece] = field(default_factory=list)
    tests: Tests | None = None
    agreement: list[Agreement] = field(default_factory=list)
    speed: bench.Speeds | None = None
    paper: dict[str, dict[str, Finite]] = field(default_factory=dict)
    trained: list[Trained] = field(default_factory=list)
    lessons: list[Lesson] = field(default_factory=list)
    curves: list[Curves] = field(default_factory=list)


def recorded(folder, kind):
    """Return what a folder of benchmarks has of devices of a kind.

    Parameters
    ----------
    folder : path
    kind : {"cpu", "cuda", "mps"}

    Returns
    -------
    speeds : list of gancourse.bench.Speeds
    rest : list of Results
        Of several runs, the oldest first.

    Raises
    ------
    CourseError
        If a file is something else.
    """
    paths = {bench.speeds_file(folder, kind): bench.Speeds}
    paths[Path(folder) / f"gpu-{kind}.json"] = Results
    return tuple(
        bench.read(path, list[what]) if path.exists() else [] for path, what in paths.items()
    )


def record(folder, found):
    """Add results to a folder of benchmarks; what they say of the same things is replaced there.

    Parameters
    ----------
    folder : path
    found : Results

    Returns
    -------
    list of str
        The names of the files that have changed.
    """
    kind = found.origin.kind
    speeds, rest = recorded(folder, kind)
    files = {Path(folder) / f"gpu-{kind}.json": together(rest, found)}
    if found.speed:
        files[bench.speeds_file(folder, kind)] = bench.together(speeds, found.speed)
    for path, value in files.items():
        bench.write(path, value)
    return [path.name for path in files]


def together(known, new):
    """Return the results on record with those of a newer run, which replace what has their name.

    Parameters
    ----------
    known : list of Results
    new : Results
        Its speeds are left out, which have a file of their own, and so are pieces that were not
        begun, which replace nothing.

    Returns
    -------
    list of Results
        Each run with its own origin. A run of which nothing is left is not there.
    """
    begun = [piece for piece in new.pieces if piece.status != "not begun"]
    new = replace(new, speed=None, pieces=begun)
    found = []
    for old in known:
        left = {"paper": {k: v for k, v in old.paper.items() if k not in new.paper}}
        left["tests"] = None if new.tests else old.tests
        for rows in ("pieces", "agreement", "trained", "lessons", "curves"):
            newer = set(map(name_of, getattr(new, rows)))
            left[rows] = [one for one in getattr(old, rows) if name_of(one) not in newer]
        found += [replace(old, **left)] if any(left.values()) else []
    return [*found, new]


def name_of(row):
    """Return the values that tell a row of the results from the others of its kind."""
    return tuple(getattr(row, key, None) for key in ("name", "gan", "how"))


def compare(quality, shipped):
    """Return whether a quality is better than that of the file that ships, and why.

    The first measure of ``DECIDING`` that both have must be better by 2 % or more; of the others
    none may be worse by more than 5 % of its value or 0.01, whichever is more.

    Parameters
    ----------
    quality, shipped : dict
        As the cards have them; ``shipped`` is empty if none ships.

    Returns
    -------
    better : bool
    why : str
    """
    if not shipped:
        return True, "none ships yet"
    both = [n for n in quality if is_number(quality[n]) and is_number(shipped.get(n))]
    for name in SAME:
        if name in both and quality[name] != shipped[name]:
            return False, f"{name}: {quality[name]:g}, not {shipped[name]:g}: measured otherwise"
    deciding = next((name for name in DECIDING if name in both), None)
    if deciding is None:
        return False, "the cards share no measure that decides"
    for name in both:
        new, old = quality[name], shipped[name]
        loss = (old - new) if name in LARGER else (new - old)
        if name not in SAME and loss > max(0.05 * abs(old), 0.01):
            return False, f"{name}: {new:g}, worse than {old:g}"
    new, old = quality[deciding], shipped[deciding]
    change = f"{deciding}: {new:g} instead of {old:g}"
    return (True, change) if new < 0.98 * old else (False, f"{change} is not better")


def quality_of(path):
    """Return the quality that the card of a generator's file has; {} if there is no such file."""
    return statefile.load(path)[1]["card"]["quality"] if Path(path).exists() else {}


def is_number(value):
    """Return whether a value is a finite number."""
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return real and abs(value) < float("inf")


def write(folder, results, log=""):
    """Write the results and the end of the log into a folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(results), indent=1)
    write_atomically(folder / RESULTS, text.encode() + b"\n")
    write_atomically(folder / LOG, log[-LONGEST_LOG:].encode())


def read(folder):
    """Return the results in a folder; raise a CourseError if they are something else."""
    path = Path(folder) / RESULTS
    try:
        if path.stat().st_size > FILE:
            raise CourseError(f"{path} is too large to be results.")
        text = path.read_bytes()
    except OSError as error:
        raise CourseError(f"cannot read {path}: {error.strerror}.") from error
    return schema.read(Results, text, str(path), CourseError, exact=True)


def pack(folder, path):
    """Add a generator's file to the first zip file of a folder that has room for it.

    Returns
    -------
    bool
        False if there is no room left.
    """
    size = path.stat().st_size
    for number in range(1, ZIPS + 1):
        zipped = Path(folder) / WEIGHTS.format(number)
        used = zipped.stat().st_size if zipped.exists() else 0
        if used + size + 1_000 <= FILE:
            with zipfile.ZipFile(zipped, "a") as archive:  # weights cannot be compressed
                archive.write(path, path.name)
            return True
    return False


def unpack(folder, names, out):
    """Write the weights of a folder's zip files into another folder.

    Parameters
    ----------
    folder, out : path
    names : collection of str
        Of recipes; all else in the zip files is refused, as is what is larger than may ship.

    Yields
    ------
    name : str
        As the zip file has it, printable.
    path : Path or None
        The file; None if it was refused.
    """
    for number in range(1, ZIPS + 1):
        zipped = Path(folder) / WEIGHTS.format(number)
        if not zipped.is_file():
            continue
        try:
            with zipfile.ZipFile(zipped) as archive:
                for info in archive.infolist():
                    name = info.filename.removesuffix(".safetensors")
                    path = Path(out) / f"{name}.safetensors"
                    if name not in names or info.file_size > LARGEST or path.exists():
                        yield printable(info.filename, 60), None
                        continue
                    with archive.open(info) as file:
                        path.write_bytes(file.read(LARGEST + 1))
                    yield name, path
        except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
            raise CourseError(f"{zipped} cannot be read: {printable(error, 100)}.") from error


def file_name(piece):
    """Return the name of a piece's files."""
    return piece.replace(":", "-")


def say(text):
    """Print a line at once."""
    print(text, flush=True)
