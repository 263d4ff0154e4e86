"""What a run logged: the means of its losses, and what ``record`` returned."""

import json
from math import isnan
from math import nan as NAN
from pathlib import Path

import numpy as np

from gancourse.writing import write_atomically


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
    records : list of (int, dict)
        What the trainer's ``record`` returned, with its step.
    samples : Tensor or None
        The samples of the latest picture; each is made from the same latent vectors.
    finished : bool
        Whether the run has reached its last step.
    """

    def __init__(self):
        self.steps, self.seconds, self.values, self.records = [], [], {}, []
        self.samples, self.finished = None, False

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

    def cut(self, step):
        """Forget what came after ``step``."""
        n = sum(s <= step for s in self.steps)
        for column in (self.steps, self.seconds, *self.values.values()):
            del column[n:]
        self.records = [record for record in self.records if record[0] <= step]

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
        """Read history.jsonl back up to step ``until``; a last line cut short is left out."""
        history = cls()
        path = Path(path)
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            try:
                row = json.loads(line)
            except ValueError:
                break
            if row["step"] > until:
                break
            history.add(row.pop("step"), row.pop("seconds"), row)
        return history
