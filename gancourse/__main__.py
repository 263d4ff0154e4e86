"""``python -m gancourse``, which torchrun starts in each process."""

import os
import sys

# Python puts the current folder first, whose click.py or torch.py would be run.
if sys.path and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

from gancourse.cli import main

if __name__ == "__main__":
    main(prog_name="gancourse")
