"""``python -m gancourse``, which torchrun starts in each process."""

from gancourse.cli import main

if __name__ == "__main__":
    main(prog_name="gancourse")
