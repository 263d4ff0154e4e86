"""Measure what ships in data/measured/: runs that are too long for their lesson.

    python -m tools.measure grid     # lesson 10: four architectures by three losses
    python -m tools.measure crowds   # lesson 8: one data set or two, with few people and with many
    python -m tools.measure grid --steps 20 --out FILE

The code is the lesson's own: its cells with the name as a tag are executed here. Each result is
written as soon as it is there; the same command goes on from it.
"""

import argparse
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from types import ModuleType

import nbformat
import torch

from gancourse import metrics
from gancourse.data.source import shipped
from gancourse.errors import CourseError
from gancourse.files.writing import write_atomically
from gancourse.gans import stargan, wgan_gp
from gancourse.training import train

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


@dataclass(frozen=True, kw_only=True)
class Study:
    """Runs of a lesson that differ in their settings and seeds.

    Attributes
    ----------
    lesson : str
        The name of the notebook.
    module : module
        The GAN whose code the lesson's synced cells hold.
    steps, seeds : int
        Of each run; how many seeds.
    settings : callable
        ``settings(names)`` returns the settings of all runs, each a dict, from what the cells
        have defined.
    run : callable
        ``run(names, seed, steps, **setting)`` returns what was measured, a dict of float.
    """

    lesson: str
    module: ModuleType
    steps: int
    seeds: int
    settings: Callable
    run: Callable


def designs_and_losses(names):
    """Return the settings of lesson 10's grid."""
    both = itertools.product(names["DESIGNS"], names["LOSSES"])
    return [{"design": design, "loss": loss} for design, loss in both]


def cell_of_grid(names, seed, steps, design, loss):
    """Return the judge FID of a cell of lesson 10's grid, and that of the untrained G."""
    cell = names["cell"](design, loss, seed, steps)
    return {key: round(cell[key], 2) for key in ("fid", "before")}


def crowds(names):
    """Return the settings of lesson 8's rivals."""
    return [{"people": n, "kind": kind} for n in (20, 100, 1_000) for kind in ("single", "joint")]


def rival(names, seed, steps, people, kind):
    """Return how well one of lesson 8's rivals changes moods, the mean over moods.

    By the judge: ``asked``, the share of faces that do not show the mood, and ``others``, of other
    attributes that changed. By the renderer: ``inside``, the error where the face must change, in
    parts of that of the untouched face, and ``outside``, the error elsewhere.
    """
    members = names["rival"](kind, people)
    gan, data, run = names["begin_run"](members, seed, steps=steps)
    train(gan, names["train_step"], data, run, quiet=True)
    x, own, labels = names["x"], names["own"], names["label_names"][kind]
    factors, rows = names["unseen"].drawing.factors, []
    for mood in names["moods"]:
        target, asked = metrics.label_target(own, labels, mood)
        parts = map(partial(names["translate"], gan), x.split(50), target.split(50))
        after = torch.cat([*parts])
        errors = metrics.domain_errors(names["judge"], x, after, asked)
        truth = metrics.counterfactual_errors(factors, mood, x, after)
        inside = truth.inside / truth.untouched
        rows.append((errors.asked, errors.others, inside, truth.outside))
    means = torch.tensor(rows, dtype=torch.float64).mean(0).tolist()
    measured = zip(("asked", "others", "inside", "outside"), means, strict=True)
    return {name: round(value, 4) for name, value in measured}


STUDIES = {
    "grid": Study(
        lesson="10_wgan.ipynb",
        module=wgan_gp,
        steps=3_000,
        seeds=2,
        settings=designs_and_losses,
        run=cell_of_grid,
    ),
    "crowds": Study(
        lesson="08_stargan.ipynb",
        module=stargan,
        steps=3_000,
        seeds=3,
        settings=crowds,
        run=rival,
    ),
}


def main(argv=None):
    """Measure what is missing in the file."""
    parser = argparse.ArgumentParser(prog="python -m tools.measure", description=__doc__)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--steps", type=int, help="updates of each run [the study's]")
    parser.add_argument("--seeds", type=int, help="[the study's]")
    parser.add_argument("--out", type=Path, help="the file [data/measured/STUDY.json]")
    options = parser.parse_args(argv)
    study = STUDIES[options.study]
    steps, seeds = options.steps or study.steps, options.seeds or study.seeds
    out = options.out or shipped("measured") / f"{options.study}.json"
    names = dict(vars(study.module)) | {"small": "laptop"}  # what other cells of the lesson define
    for cell in nbformat.read(NOTEBOOKS / study.lesson, as_version=4).cells:
        if {"parameters", options.study} & set(cell.metadata.get("tags", [])):
            exec(cell.source, names)
    found = {"steps": steps, "torch": torch.__version__, "runs": []}
    if out.exists():
        found = json.loads(out.read_text(encoding="utf-8"))
    if found["steps"] != steps:
        had = f"{found['steps']:,}"
        raise CourseError(f"{out} has runs of {had} updates: use another --out.")
    for seed, setting in itertools.product(range(seeds), study.settings(names)):
        key = setting | {"seed": seed}
        if any(run | key == run for run in found["runs"]):
            continue
        found["runs"].append(key | study.run(names, seed, steps, **setting))
        found["date"] = datetime.now(timezone.utc).date().isoformat()
        write_atomically(out, (json.dumps(found, indent=1) + "\n").encode())
        print(found["runs"][-1], flush=True)


if __name__ == "__main__":
    main()
