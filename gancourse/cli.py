"""The command ``gancourse``: run lessons, train and sample GANs, check data and the machine.

Each command imports what it needs when it runs, so that ``--help`` is fast.
"""

import sys
from pathlib import Path
from textwrap import indent

import click

from gancourse import __version__
from gancourse.errors import CourseError

INTERRUPTED = 130  # the exit status after Ctrl-C, by convention of shells


class Problem(click.ClickException):
    """A CourseError as the command line reports it: exit status 2, no traceback."""

    exit_code = 2

    def show(self, file=None):
        """Print the message to standard error."""
        click.echo(f"gancourse: error: {self.message}", err=True)


class Commands(click.Group):
    """A group of commands that reports a CourseError without a traceback, and ends on Ctrl-C."""

    def invoke(self, ctx):
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except CourseError as error:
            raise Problem(str(error)) from error
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            ctx.exit(INTERRUPTED)


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
@click.option("--out", type=click.Path(path_type=Path), help="Output folder [build/PRESET].")
@click.option("--check-claims", is_flag=True, help="Exit with status 1 if a claim does not hold.")
def run(names, given, out, check_claims):
    """Execute LESSONS: numbers or names (01 02), "all", or notebooks of your own.

    The output folder gets each executed notebook and its page, index.html and claims.json.
    If a lesson fails, the others still run.
    """
    from gancourse.batch import execute, lessons

    jobs = execute.prepare(lessons.find(names), dict(given), out)
    from gancourse.batch import report

    bad = 0
    for job in jobs:
        notebook = execute.run(job)
        outcome = notebook.metadata.gancourse.run
        found = report.add(job, notebook)
        done, total = outcome.cells
        summary = f"{done}/{total} cells  {outcome.seconds:.1f} s  {report.verdict(found)}"
        click.echo(f"{job.name}  {summary}  {outcome.status}")
        for claim in found:
            if claim["holds"] is False:
                click.echo(f"  does not hold: {claim['text']} ({claim['value']})")
                bad += check_claims
        if outcome.status == "failed":
            bad += 1
            click.echo(indent(f"{outcome.error}\nsee {job.out / job.name}.ipynb", "  "), err=True)
        if outcome.status == "interrupted":
            raise KeyboardInterrupt
    for folder in dict.fromkeys(job.out for job in jobs):
        click.echo(f"see {folder / 'index.html'}")
    sys.exit(1 if bad else 0)


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
@click.option("--device", default="auto", show_default=True, help="auto, cuda, cuda:1, mps, cpu.")
@click.option("--precision", default="fp32", show_default=True, help="fp32, bf16 or auto.")
@click.option(
    "--compile", "compiled", is_flag=True, help="Compile the networks with torch.compile."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the run.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out.")
def train(name, preset, data_name, seed, steps, device, precision, compiled, out, resume):
    """Train GAN (vanilla, dcgan, ...); write generator, checkpoint, log and samples to --out.

    Ctrl-C stops after the current step; --resume goes on from there.
    """
    from gancourse import runs
    from gancourse.training import runtime

    changes = {} if steps is None else {"steps": steps}
    plan = runs.prepare(name, data_name, preset, **changes)
    run = runtime.start(device, seed, precision=precision, compile=compiled)
    gan = plan.build(run)
    history = plan.train(gan, run, out_dir=out, resume=resume)
    if not history.finished:
        click.echo(f"stopped after step {gan.step:,}; go on with --resume", err=True)
        sys.exit(INTERRUPTED)
    click.echo(f"{out}: trained to step {gan.step:,}; see samples/, or `gancourse sample {out}`")


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "-n",
    "count",
    default=64,
    show_default=True,
    type=click.IntRange(min=1),
    help="Number of samples, at most.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the noise.")
@click.option(
    "--input",
    "path",
    type=click.Path(path_type=Path),
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
    type=click.Path(path_type=Path, dir_okay=False),
    help="The picture to write.",
)
def sample(folder, count, seed, path, given, device, output):
    """Draw samples from the generator in DIR, the folder of a run or a .safetensors file.

    For a translator, a row shows the input, the output and, if it is known, the target.
    """
    from gancourse import plotting, trained
    from gancourse.trained import show

    g = trained.load(folder, device)
    samples = show.examples(g, count, seed, path=path, given=dict(given))
    plotting.save_samples(samples, output)
    rows = next(iter(samples.values())) if isinstance(samples, dict) else samples
    click.echo(
        f"{output}: {len(rows)} samples of {g.card['model']}, {g.card.get('data', 'unknown')} data"
    )


# Data


@main.group()
def data():
    """List, fetch and check data sets."""


@data.command("list")
def list_data():
    """List the data sets of the course."""
    from gancourse.data import DATASETS

    for name, info in DATASETS.items():
        click.echo(f"{name:<14} {info}")


@data.command()
@click.argument("name")
def fetch(name):
    """Download the data set NAME, or check it if it is here already."""
    from gancourse.data import fetch

    click.echo(fetch(name))


@data.command()
@click.argument("what", metavar="NAME-OR-FOLDER")
def check(what):
    """Check a data set, or a folder of your own pictures."""
    from gancourse.data import check

    click.echo(check(what))


# The machine


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json):
    """Show what this machine has and lacks, and how long each lesson takes here."""
    from gancourse import doctor

    sys.exit(doctor.main(as_json))
