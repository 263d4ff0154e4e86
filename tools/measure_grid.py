"""Measure lesson 10's grid of architectures by losses, for longer and with more seeds than it can.

    python -m tools.measure_grid                # 12 networks a seed, 3,000 updates each
    python -m tools.measure_grid --steps 20 --out FILE

The code is the lesson's own: its cells tagged "grid" are executed here. Each result is written to
data/measured/grid.json as soon as it is there; the same command goes on from it.
"""

import argparse
import json
from datetime import datetime, timezone
from pathlib import Path

import nbformat
import torch

from gancourse.data.source import shipped
from gancourse.errors import CourseError
from gancourse.files.writing import write_atomically
from gancourse.gans import wgan_gp

ROOT = Path(__file__).resolve().parents[1]
LESSON = ROOT / "notebooks" / "10_wgan.ipynb"


def main(argv=None):
    """Measure what is missing in the file."""
    parser = argparse.ArgumentParser(prog="python -m tools.measure_grid", description=__doc__)
    parser.add_argument("--steps", type=int, default=3_000, help="updates of each player")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=shipped("measured") / "grid.json")
    options = parser.parse_args(argv)
    lesson = dict(vars(wgan_gp))  # what its synced cells define
    for cell in nbformat.read(LESSON, as_version=4).cells:
        if {"parameters", "grid"} & set(cell.metadata.get("tags", [])):
            exec(cell.source, lesson)
    found = {"steps": options.steps, "torch": torch.__version__, "runs": []}
    if options.out.exists():
        found = json.loads(options.out.read_text(encoding="utf-8"))
    if found["steps"] != options.steps:
        had = f"{found['steps']:,}"
        raise CourseError(f"{options.out} has runs of {had} updates: use another --out.")
    done = {(run["design"], run["loss"], run["seed"]) for run in found["runs"]}
    for seed in range(options.seeds):
        for design in lesson["DESIGNS"]:
            for loss in lesson["LOSSES"]:
                if (design, loss, seed) in done:
                    continue
                cell = lesson["cell"](design, loss, seed, options.steps)
                run = {"design": design, "loss": loss, "seed": seed}
                run |= {key: round(cell[key], 2) for key in ("fid", "before")}
                found["runs"].append(run)
                found["date"] = datetime.now(timezone.utc).date().isoformat()
                write_atomically(options.out, (json.dumps(found, indent=1) + "\n").encode())
                print(run, flush=True)


if __name__ == "__main__":
    main()
