"""The command ``gancourse``: run lessons, train and sample GANs, check data and the machine.

Each command imports what it needs when it runs, so that ``--help`` is fast.
"""

import sys
from pathlib import Path
from textwrap import indent

import click

from gancourse import __version__
from gancourse.errors import CourseError, printable
from gancourse.files import paths
from gancourse.files.streams import say, steady

MAX_PATH = 5_000  # characters of a path that is printed, longer than any that the system takes
INTERRUPTED = 130  # the exit status after Ctrl-C, by convention of shells


class Problem(click.ClickException):
    """A CourseError as the command line reports it: exit status 2, no traceback."""

    exit_code = 2

    def show(self, file=None):
        """Print the message to standard error."""
        say(f"gancourse: error: {self.message}", err=True)


class Place(click.ParamType):
    """A path that the user gave, checked before the command begins.

    Parameters
    ----------
    file : bool
        See :func:`gancourse.files.paths.given`.
    folder : bool
        Whether it names a folder for files that will be written.
    """

    name = "path"

    def __init__(self, file=False, folder=False):
        self.file, self.folder = file, folder

    def convert(self, value, param, ctx):
        """Return the path, or raise a CourseError."""
        what = param.opts[-1] if isinstance(param, click.Option) else param.human_readable_name
        return paths.folder(value, what) if self.folder else paths.given(value, what, self.file)


class Commands(click.Group):
    """A group of commands that reports a CourseError without a traceback, and ends on Ctrl-C.

    So it does with what the system refuses, if the user can do something about it.
    """

    def main(self, *args, **kwargs):
        """Run the command line, whatever becomes of its output."""
        with steady():
            return super().main(*args, **kwargs)

    def invoke(self, ctx):
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except CourseError as error:
            raise Problem(str(error)) from error
        except OSError as error:
            if error.errno not in paths.ADVICE:
                raise
            where = f"{printable(error.filename)}: " if error.filename else ""
            raise Problem(f"{where}{paths.reason(error)}.") from error
        except UnicodeEncodeError as error:
            if error.reason != "surrogates not allowed":
                raise
            raise Problem(f"the name {printable(error.object)} is not UTF-8. Rename it.") from error
        except KeyboardInterrupt:
            say("stopped", err=True)
            ctx.exit(INTERRUPTED)


def by_name(option, pairs):
    """Return the names and values of a repeated option as a dict."""
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise CourseError(f"{option} {name!r} is there twice: give one value.")
    return dict(pairs)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gancourse")
def main():
    """Learn generative adversarial networks, one paper a lesson."""


# Lessons


@main.command()
@click.argument("names", metavar="LESSONS...", nargs=-1, required=True)
@click.option(
    "-p",
    "--parameter",
    "given",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="Set a parameter of every lesson, as in -p preset smoke. Can be repeated.",
)
@click.option("--out", type=Place(folder=True), help="Output folder [build/PRESET].")
@click.option("--check-claims", is_flag=True, help="Exit with status 1 if a claim does not hold.")
@click.option(
    "--missing", is_flag=True, help="Run only what --out does not hold yet, or what has changed."
)
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    default=1,
    show_default=True,
    help="How many lessons run at once on this machine.",
)
@click.option(
    "--scheduler", metavar="ADDRESS", help="Run on the workers of a Dask scheduler (tcp://...)."
)
@click.option(
    "--timeout",
    type=click.IntRange(min=0),
    metavar="SECONDS",
    help="Time that a cell may take, 0 for any time [smoke 600, laptop 14400, paper 0].",
)
def run(names, given, out, check_claims, missing, workers, scheduler, timeout):
    """Execute LESSONS: numbers or names (01 02), "all", or notebooks of your own.

    The output folder gets each executed notebook and its page, index.html and claims.json. What
    a reader has changed there is not overwritten, nor is a file that the course did not make. If
    a lesson fails, the others still run.

    A number may have several values (-p seed 0,1,2). Then each run has a folder, such as seed=0,
    and index.html has the mean and the spread of all claims and tables.
    """
    from gancourse.batch import execute, lessons

    jobs = execute.prepare(lessons.find(names), by_name("-p", given), out, timeout)
    from gancourse.batch import cluster, runs

    cluster.reach(scheduler)
    execute.make_folders(jobs)
    done = [job for job in jobs if missing and execute.is_done(job)]
    for job in done:
        say(f"{job.shown}  is done already")
    bad = 0
    for job, path, problem in cluster.results(
        [job for job in jobs if job not in done], workers, scheduler
    ):
        if problem:
            bad += 1
            say(f"{job.shown}  {problem}", err=True)
            continue
        try:
            notebook = lessons.read(path)
        except CourseError as error:  # a worker's disk may be another
            bad += 1
            say(f"{job.shown}  {error}", err=True)
            continue
        bad += tell(job, path, notebook, check_claims)
        if lessons.outcome(notebook).status == "interrupted":
            raise KeyboardInterrupt
    for folder in dict.fromkeys(job.batch for job in jobs if job.variant):
        runs.collect(folder)
    for folder in dict.fromkeys(job.batch for job in jobs):
        say(f"see {printable(folder / 'index.html', MAX_PATH)}")
    sys.exit(1 if bad else 0)


def tell(job, path, notebook, check_claims):
    """Say how a lesson ended, and write its page; return 1 if it shall count as failed."""
    from gancourse.batch import lessons, report

    outcome = lessons.outcome(notebook)
    claims, malformed = lessons.claims(notebook)
    pages = report.add(path, notebook, job.path.parent)
    problems = [*outcome.notes, *malformed, *pages]
    done, total = outcome.cells
    summary = f"{done}/{total} cells  {outcome.seconds:.1f} s  {report.verdict(claims)}"
    say(f"{job.shown}  {summary}  {outcome.status}")
    for claim in claims:
        if claim.holds is False:
            say(f"  does not hold: {claim.text} ({claim.value})")
    if outcome.error:
        problems.insert(0, f"{outcome.error}\nsee {printable(path, MAX_PATH)}")
    for problem in problems:
        say(indent(problem, "  "), err=True)
    broken = check_claims and bool(malformed or any(claim.holds is False for claim in claims))
    return int(outcome.status == "failed" or broken or bool(pages))


# GANs


@main.command()
@click.argument("name", metavar="GAN")
@click.option("--preset", default="laptop", show_default=True, help="smoke, laptop or paper.")
@click.option(
    "--data",
    "data_name",
    default="digits",
    show_default=True,
    help="A data set: see `gancourse data list`.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of all random numbers.")
@click.option(
    "--steps", type=click.IntRange(min=1), help="Training steps, of the last stage [the preset's]."
)
@click.option("--batch-size", type=click.IntRange(min=1), help="Samples a batch [the preset's].")
@click.option("--device", default="auto", show_default=True, help="auto, cuda, cuda:1, mps, cpu.")
@click.option(
    "--precision",
    help="fp32, bf16 or auto [bf16 where the device has it and it pays, else fp32].",
)
@click.option(
    "--channels-last/--no-channels-last",
    default=None,
    help="Memory format of convolutions [channels last where it pays: not with InstanceNorm2d].",
)
@click.option(
    "--threads", type=click.IntRange(1, 1024), help="CPU threads [1 for small networks, else all]."
)
@click.option(
    "--compile", "compiled", is_flag=True, help="Compile the networks with torch.compile."
)
@click.option(
    "--graphs/--no-graphs",
    default=True,
    show_default=True,
    help="On CUDA, launch a whole step at once, as a CUDA graph.",
)
@click.option("--out", required=True, type=Place(folder=True), help="Folder of the run.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out.")
def train(
    name,
    preset,
    data_name,
    seed,
    steps,
    batch_size,
    device,
    precision,
    channels_last,
    threads,
    compiled,
    graphs,
    out,
    resume,
):
    """Train GAN (vanilla, dcgan, ...); write generator, checkpoint, log and samples to --out.

    Ctrl-C stops after the current step; --resume goes on from there. With several devices:
    torchrun --nproc-per-node N -m gancourse train ...
    """
    from gancourse import runs
    from gancourse.training import guards, parallel, runtime, store

    restarted = parallel.restarted()
    apart(out, data_name)
    if resume:
        store.require(out)
        precision = precision or store.precision_of(out)
    given = {"steps": steps, "batch_size": batch_size}
    changes = {field: value for field, value in given.items() if value is not None}
    plan = runs.prepare(name, data_name, preset, **changes)
    own = {"precision": precision, "channels_last": channels_last}
    own = {option: value for option, value in own.items() if value is not None}
    with parallel.together(device) as device:
        chosen = plan.settings(runtime.find_device(device)) | own
        run = runtime.start(device, seed, compile=compiled, graphs=graphs, **chosen)
        if run.device.type == "cpu" and (threads or run.processes == 1):
            runtime.use_threads(threads or plan.threads)  # torchrun has set a number of its own
        gan = plan.build(run)
        guards.check_first_batch(gan, plan.data, run)
        if not run.process:
            say(f"{run}; a step has {plan.work / 1e9:.2g} billion operations", err=True)
        mine = restarted and not run.process and store.begun_by(out, parallel.job())
        again = parallel.any_of(mine, run)  # the first process knows
        history = plan.train(gan, run, out_dir=out, resume=resume or again)
    if run.process:
        return
    if not history.finished:
        say(f"stopped after step {gan.step:,}; go on with --resume", err=True)
        sys.exit(INTERRUPTED)
    shown = printable(out, MAX_PATH)
    say(f"{shown}: trained to step {gan.step:,}; see samples/, or `gancourse sample {shown}`")


def apart(out, data_name):
    """Refuse a run in a folder of one's own pictures: what it writes would be among them."""
    from gancourse.data import own

    kind, _, rest = own.absolute(data_name.removeprefix("small2large:")).partition(":")
    # Of a folder every sub-folder is read, of other kinds those with known names.
    places = [out.resolve(), *(out.resolve().parents if kind == "folder" else ())]
    for place in rest.split(",") if kind in own.KINDS else ():
        if Path(place).resolve() in places:
            raise CourseError(
                f"--out: {printable(out)} lies in {printable(place)}, the pictures of --data. "
                "Choose a folder elsewhere."
            )


@main.command()
@click.argument("folder", metavar="DIR", type=Place())
@click.option(
    "-n",
    "count",
    type=click.IntRange(min=1),
    help="Number of samples [64, or fewer if they are large]. A picture holds 2,048 at most.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the noise.")
@click.option(
    "--input",
    "path",
    type=Place(),
    help="A picture to translate, or a folder of pictures [the test split].",
)
@click.option(
    "--given",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="A condition, as in --given labels 3. Can be repeated.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cuda, cuda:1, mps, cpu.")
@click.option(
    "-o",
    "--output",
    default="grid.png",
    show_default=True,
    type=Place(file=True),
    help="The PNG to write.",
)
def sample(folder, count, seed, path, given, device, output):
    """Draw samples from the generator in DIR, the folder of a run or a .safetensors file.

    For a translator, a row shows the input, the output and, if it is known, the target. Without
    --input, a translator gets pictures that were held out, if its data are a data set of the
    course.
    """
    paths.png_target(output)
    from gancourse import plotting, trained
    from gancourse.trained import asked, show

    if path:
        show.spare(path, output)
    g = trained.load(folder, device)
    given = by_name("--given", given)
    samples = show.examples(g, count, seed, path=path, given=given)
    plotting.save_samples(samples, output)
    rows = next(iter(samples.values())) if isinstance(samples, dict) else samples
    told, shown = asked.told(g, given), printable(output, MAX_PATH)
    say(f"{shown}: {len(rows)} samples of {g.card['model']}, {g.data} data{told and f'; {told}'}")


@main.command()
@click.argument("names", metavar="[GANS]...", nargs=-1)
@click.option("--full", is_flag=True, help="Time for longer; compiled networks and memory too.")
@click.option(
    "--memory",
    is_flag=True,
    help="Measure only the peak memory, on the CPU, for what has been timed there.",
)
@click.option(
    "--quality",
    "task",
    help="Measure the time to quality instead: modes, acgan-digits, cgan-digits, dcgan-faces or "
    "lsgan-faces.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 1000),
    default=3,
    show_default=True,
    help="Trainings of each side; those on record with the same settings are kept (--quality).",
)
@click.option("--steps", type=click.IntRange(min=1), help="Most steps a training (--quality).")
@click.option(
    "--earlier",
    type=Place(),
    help="A JSON file of other values for the preset's fields, by GAN (--quality).",
)
@click.option("--preset", default="laptop", show_default=True, help="smoke, laptop or paper.")
@click.option("--device", default="auto", show_default=True, help="auto, cuda, cuda:1, mps, cpu.")
@click.option(
    "--threads", type=click.IntRange(1, 1024), help="CPU threads [1 for small networks, else all]."
)
@click.option(
    "--out",
    type=Place(folder=True),
    help="Folder of the JSON file [benchmarks/results, in this folder].",
)
def bench(names, full, memory, task, seeds, steps, earlier, preset, device, threads, out):
    """Time our trainer against a tutorial's loop, on the same networks, for all GANs or some.

    The loop of tutorials: a DataLoader that transforms each picture, fp32, a loss that is read in
    every step, Adam in its default form. Both sides take turns.
    """
    from gancourse import bench

    out = out or bench.FOLDER
    if task:
        fields = bench.earlier_fields(earlier, task)
        for race in bench.quality_of(
            task, device=device, seeds=range(seeds), earlier=fields, steps=steps, out=out
        ):
            last = race
        say(bench.compared(last))
    elif memory:
        for rows in bench.memory_of(names, out=out):
            for row in rows:
                say(bench.line(row))
    else:
        options = {"preset": preset, "device": device, "threads": threads, "full": full}
        for rows in bench.speed_of(names, out=out, **options):
            for row in rows:
                say(bench.line(row))
    say(f"see {printable(out, MAX_PATH)}")


# Data


@main.group()
def data():
    """List, fetch and check data sets."""


@data.command("list")
def list_data():
    """List the data sets of the course."""
    from gancourse.data import DATASETS

    for name, info in DATASETS.items():
        say(f"{name:<14} {info}")


@data.command()
@click.argument("name")
def fetch(name):
    """Download the data set NAME, or check it if it is here already."""
    from gancourse.data import fetch

    say(fetch(name))


@data.command()
@click.argument("what", metavar="NAME-OR-FOLDER")
def check(what):
    """Check a data set, or a folder of your own pictures."""
    from gancourse.data import check

    say(check(what))


# The machine


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json):
    """Show what this machine has and lacks, and how long each lesson takes here."""
    from gancourse import doctor

    sys.exit(doctor.main(as_json))
