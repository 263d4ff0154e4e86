"""``python -m tools.gpu --device cuda --budget 540 --out FOLDER``; see the Makefile."""

import argparse

from gancourse.errors import CourseError
from tools.gpu import plan

parser = argparse.ArgumentParser(
    prog="python -m tools.gpu", description=plan.__doc__.split("\n")[0]
)
parser.add_argument("--device", default="cuda", help="cuda, cuda:1, mps or cpu")
parser.add_argument("--budget", type=float, default=540, help="seconds for everything")
parser.add_argument("--out", default="build/gpu", help="folder of the results")
parser.add_argument(
    "--only", nargs="*", default=(), help="pieces, such as speed lesson:02; all if there is none"
)
options = parser.parse_args()
try:
    plan.main(options.device, options.budget, options.out, options.only)
except CourseError as problem:
    parser.exit(2, f"{problem}\n")
