"""Output of the command line that never ends the work, whatever becomes of it.

Standard output may be a terminal that lacks a sign, a pipe whose reader has gone, or a file on a
full disk. What cannot be shown is replaced or left out; the work goes on.
"""

import errno
import os
import sys
from contextlib import contextmanager, suppress

from gancourse.errors import printable


class Steady:
    """A stream of text whose writing does not fail.

    Parameters
    ----------
    stream : text stream

    Attributes
    ----------
    problem : OSError or None
        The first reason for which text was lost.
    """

    buffer = None  # click would write the bytes past this object

    def __init__(self, stream):
        self.stream = stream
        self.problem = None

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text):
        """Write text, with "?" for signs that the stream's encoding lacks."""
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        known = text.encode(encoding, "replace").decode(encoding)
        self._attempt(self.stream.write, known)
        return len(text)

    def writelines(self, lines):
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self):
        """Pass on what was written."""
        self._attempt(self.stream.flush)

    def _attempt(self, action, *arguments):
        if self.problem is None:
            try:
                action(*arguments)
            except OSError as error:
                self.problem = error

    def discard(self):
        """Throw away what the stream could not pass on; Python would try again at its end."""
        with suppress(OSError), open(os.devnull, "wb") as nothing:  # OSError: in memory
            os.dup2(nothing.fileno(), self.stream.fileno())
            self.stream.flush()


@contextmanager
def steady():
    """Make standard output and standard error steady inside a ``with`` statement.

    At its end, standard error tells why output was lost, unless its reader has gone.
    """
    made = {name: Steady(getattr(sys, name)) for name in ("stdout", "stderr") if getattr(sys, name)}
    vars(sys).update(made)
    try:
        yield
    finally:
        for stream in made.values():
            stream.flush()
        lost = [stream.problem for stream in made.values() if stream.problem]
        if "stderr" in made and any(problem.errno != errno.EPIPE for problem in lost):
            print(
                f"gancourse: output was lost: {lost[0].strerror}", file=made["stderr"], flush=True
            )
        for name, stream in made.items():
            if stream.problem:
                stream.discard()
            setattr(sys, name, stream.stream)


def say(text, err=False):
    """Print lines at once, in a program that may have no steady output.

    Parameters
    ----------
    text : object
        May come from a file: control characters are escaped, except the ends of lines.
    err : bool
        Print to standard error.
    """
    stream = sys.stderr if err else sys.stdout
    if stream is not None:
        lines = str(text).split("\n")
        shown = "\n".join(printable(line, limit=10_000) for line in lines)
        print(shown, file=Steady(stream), flush=True)
