"""What a run logged: one row of losses a log step, and whatever was recorded on the way."""

import json
from pathlib import Path

import numpy as np

from gancourse.files import write_atomically


class History:
    """Losses over steps; ``history["D/adv"]`` is one curve as an array.

    Attributes
    ----------
    steps : list of int
        The step (counted from 1) that ends each log window.
    seconds : list of float
        Training time up to there.
    values : dict of str to list of float
        For each log tag the means over the windows.
    records : list of (int, dict)
        What the trainer's ``record`` returned, with its step.
    samples : Tensor or None
        The latest picture's samples, of the same latent vectors each time.
    """

    def __init__(self):
        self.steps, self.seconds, self.values, self.records = [], [], {}, []
        self.samples = None

    def __getitem__(self, tag):
        """Return one curve, an array as long as ``steps``."""
        if tag not in self.values:
            raise KeyError(f"{tag!r}; logged were: {', '.join(self.values) or 'no losses yet'}")
        return np.array(self.values[tag])

    def __len__(self):
        return len(self.steps)

    def add(self, step, seconds, means):
        """Append one log window."""
        self.steps.append(step)
        self.seconds.append(round(seconds, 3))
        for tag, value in means.items():
            self.values.setdefault(tag, []).append(value)

    def cut(self, step):
        """Forget what came after ``step``."""
        n = sum(s <= step for s in self.steps)
        for column in (self.steps, self.seconds, *self.values.values()):
            del column[n:]
        self.records = [record for record in self.records if record[0] <= step]

    def row(self, i=-1):
        """Return one log window as a flat dict, as it stands in history.jsonl."""
        row = {"step": self.steps[i], "seconds": self.seconds[i]}
        return row | {tag: values[i] for tag, values in self.values.items()}

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
