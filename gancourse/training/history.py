"""What a run logged: the means of its losses, and what ``record`` returned."""

import codecs
import json
import os
from math import isfinite, isnan
from math import nan as NAN
from pathlib import Path

import numpy as np

from gancourse.errors import CourseError
from gancourse.files import schema, statefile
from gancourse.files.writing import write_atomically


class History:
    """Losses over steps; ``history["D/adv"]`` is one curve as an array.

    Attributes
    ----------
    steps : list of int
        The step (counted from 1) that ends each log window.
    seconds : list of float
        Training time up to there.
    values : dict of str to list of float
        For each log tag and window, the mean over those steps that returned the tag; NaN where none
        did.
    records : list of (int, object)
        What the trainer's ``record`` returned, with its step; tensors are on the CPU.
    window : list of (int, tuple of str, Tensor)
        Step, log tags and their values for each step of a log window that is not yet complete. If
        there is such a window, the last row may be its mean so far.
    samples : Tensor or None
        The samples of the latest picture; each is made from the same latent vectors.
    finished : bool
        Whether the run has reached its last step.
    damaged : int
        How many rows were lost when the history was read from a file.
    """

    def __init__(self):
        self.steps, self.seconds, self.values, self.records = [], [], {}, []
        self.window, self.samples, self.finished, self.damaged = [], None, False, 0

    def __getitem__(self, tag):
        """Return one curve, an array as long as ``steps``."""
        if tag not in self.values:
            raise KeyError(f"{tag!r}; logged were: {', '.join(self.values) or 'no losses yet'}")
        return np.array(self.values[tag])

    def __len__(self):
        return len(self.steps)

    def add(self, step, seconds, means):
        """Append one log window."""
        for tag in means:
            self.values.setdefault(tag, [NAN] * len(self.steps))
        for tag, column in self.values.items():
            column.append(means.get(tag, NAN))
        self.steps.append(step)
        self.seconds.append(round(seconds, 3))

    def record(self, step, value, strict):
        """Keep what ``record`` returned, in the form in which a checkpoint gives it back.

        Raises
        ------
        CourseError
            If ``strict``, and a checkpoint cannot hold it.
        """
        try:
            tree, tensors = statefile.flatten(value)
            value = statefile.restore(json.loads(json.dumps(tree)), tensors)
        except (TypeError, ValueError) as error:
            if strict:
                raise CourseError(
                    f"what record= returned cannot be kept in out_dir: {error}. Return numbers, "
                    "text, tensors, and dicts, lists and tuples of these."
                ) from error
        self.records.append((step, value))

    def cut(self, step):
        """Forget what came after ``step``."""
        self._keep_rows(sum(s <= step for s in self.steps))
        self.records = [record for record in self.records if record[0] <= step]

    def reopen(self):
        """Forget the mean of a window that is not yet complete; it goes on."""
        self._keep_rows(self.complete)

    @property
    def complete(self):
        """The number of log windows that are complete."""
        return sum(not self.window or step < self.window[0][0] for step in self.steps)

    def _keep_rows(self, n):
        for column in (self.steps, self.seconds, *self.values.values()):
            del column[n:]

    def row(self, i=-1):
        """Return one log window as a flat dict, as history.jsonl has it."""
        row = {"step": self.steps[i], "seconds": self.seconds[i]}
        found = {tag: values[i] for tag, values in self.values.items()}
        return row | {tag: value for tag, value in found.items() if not isnan(value)}

    def latest(self):
        """Return the last mean of each tag."""
        return {
            tag: next(value for value in reversed(values) if not isnan(value))
            for tag, values in self.values.items()
            if not all(map(isnan, values))
        }

    def write(self, path):
        """Write all windows to ``path``, a JSON line each, replacing what was there."""
        lines = (json.dumps(self.row(i)) + "\n" for i in range(len(self)))
        write_atomically(path, "".join(lines).encode())

    @classmethod
    def read(cls, path, until):
        """Read history.jsonl back up to step ``until``.

        A byte-order mark, blank lines and a last line that was cut short are no damage.

        Parameters
        ----------
        path : str or Path
        until : int

        Returns
        -------
        History
            Of all rows that can be read and whose steps rise. Its ``damaged`` is the number of
            lines that could not be read; 1 if the file itself cannot be.
        """
        history, last = cls(), 0
        path = Path(path)
        if not path.is_file():  # a pipe would wait for a writer
            history.damaged = int(os.path.lexists(path))
            return history
        lines = path.read_bytes().removeprefix(codecs.BOM_UTF8).split(b"\n")
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                step, seconds, means = read_row(line)
                if step <= last:
                    raise ValueError("a step does not rise")
            except ValueError:
                history.damaged += number < len(lines)  # the last one was being written
                continue
            if step <= until:
                history.add(step, seconds, means)
                last = step
        return history


def read_row(line):
    """Return the step, the seconds and the means of a line of history.jsonl.

    Raises
    ------
    ValueError
        If it is not a row of finite numbers.
    """
    row = schema.read(dict[str, float], line, "a row", ValueError)
    if not {"step", "seconds"} <= row.keys() or not all(map(isfinite, row.values())):
        raise ValueError("a number is missing or not finite")
    step, seconds = row.pop("step"), row.pop("seconds")
    if step < 1 or step != int(step):
        raise ValueError("a step is no whole number")
    return int(step), seconds, row
