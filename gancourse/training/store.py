"""The last good state of a run: in a folder if there is one, else in memory."""

import json
import os
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

import torch
from torch.optim.lr_scheduler import LRScheduler

from gancourse import plotting
from gancourse.errors import CheckpointError, CourseError
from gancourse.files import paths, schema, statefile
from gancourse.files.streams import say
from gancourse.files.writing import leftovers, write_atomically
from gancourse.training import checkpoint, parallel
from gancourse.training.guards import diverged
from gancourse.training.history import History
from gancourse.training.ownership import owned
from gancourse.training.runtime import PRECISIONS, random_state, set_random_state

CHECKPOINT, GENERATOR, HISTORY = "checkpoint.safetensors", "generator.safetensors", "history.jsonl"
SAMPLES = "samples"

# Settings that a resumed run may change; what else differs is another run.
FREE = ("device", "channels_last", "compile", "threads", "processes")
MOST_CHANGES = 20  # that a message names: a file may hold any number of settings


class Store:
    """The last good state of a run: in a folder if there is one, else in memory.

    A context manager: within it the folder belongs to this run. Nothing but a lock is written
    before the first step has been made, and every folder with another file has a checkpoint. Of
    several processes the first writes; the others read the checkpoint and then keep their state
    in memory.

    Parameters
    ----------
    gan : GAN
    run : Run
    data : gancourse.data.Data
    steps : int
        Of the whole run.
    folder : path or None
    card : dict
        What generator.safetensors says of the run.
    """

    def __init__(self, gan, run, data, steps, folder, card):
        self.gan, self.run, self.data, self.steps, self.card = gan, run, data, steps, card
        self.folder = None if folder is None else Path(folder)
        self.memory = None  # the last good state, if no file holds it
        self.kept = None  # the step of the checkpoint in the folder
        self.logged = False  # whether history.jsonl holds all rows so far
        self._owned = ExitStack()

    def __enter__(self):
        if self.folder and not self.run.process:
            self._owned.enter_context(owned(self.folder))
        return self

    def __exit__(self, *error):
        return self._owned.__exit__(*error)

    def state(self):
        """Return everything that the rest of the run depends on."""
        history = self.gan.history
        return {
            "step": self.gan.step,
            "windows": history.complete,
            "parts": {name: part.state_dict() for name, part in self.gan.parts().items()},
            "random": random_state(),
            "records": history.records if self.folder else [],
            "window": history.window,
        }

    @cached_property
    def settings(self):
        """What identifies the run: a resumed run must share all but a few."""
        fields = {name: field.card() for name, field in self.data.fields.items()}
        fingerprint = getattr(self.data, "fingerprint", dict)()
        found = checkpoint.describe(self.gan.cfg) | {
            "steps": self.steps,
            "seed": self.run.seed,
            "precision": self.run.precision,
            "data": self.data.name,
            "fields": fields,
            "content": fingerprint,
            "device": self.run.device.type,
            "channels_last": self.run.channels_last,
            "compile": self.run.compile,
        }
        if self.run.processes > 1:
            found["processes"] = self.run.processes
        if self.run.device.type == "cpu":
            found["threads"] = torch.get_num_threads()
        return json.loads(json.dumps(found))

    @property
    def _home(self):
        return os.path.realpath(self.folder)

    @property
    def endless(self):
        """Whether no part of the GAN depends on the number of steps."""
        return all(
            getattr(part, "endless", not isinstance(part, LRScheduler))
            for part in self.gan.parts().values()
        )

    # The state

    def keep(self):
        """Save the state; raise TrainingDiverged if a weight is not finite."""
        for name, part in self.gan.parts().items():
            if isinstance(part, torch.nn.Module):
                tensors = [*part.parameters(), *part.buffers()]
                if tensors and not torch.stack([t.isfinite().all() for t in tensors]).all():
                    raise diverged(f"the weights of {name}", self.gan.step)
        if self.folder:
            self._write_history()  # first, so that no row is missing that the checkpoint counts
            self._write(self.state())
        else:
            self.memory = statefile.flatten(self.state())

    def begin(self):
        """Keep the state before the first step in memory, unless the checkpoint holds it."""
        if self.kept is None or self.kept != self.gan.step:
            self.memory = statefile.flatten(self.state())

    def put_back(self):
        """Restore the GAN and its history to the last good state.

        A generator that is there stays: it may be that of a run which was finished, and the state
        before a loss is not finite is seldom as good.
        """
        if self.memory is None:
            self._load(statefile.load(self.folder / CHECKPOINT)[0])
        else:
            self._load(statefile.restore(*self.memory))
        self.gan.history.cut(self.gan.step)
        self._settle()
        if self.folder:
            self._write_history()
            if not os.path.lexists(self.folder / GENERATOR):
                self.publish()

    def _load(self, state):
        checkpoint.load_parts(self.gan, state["parts"])
        self.gan.step = state["step"]
        history = self.gan.history
        if self.folder:
            history.records = [tuple(record) for record in state["records"]]
        device = self.run.device
        history.window = [(n, tuple(tags), v.to(device)) for n, tags, v in state["window"]]
        set_random_state(state["random"])

    def _write(self, state):
        job = parallel.job()
        header = {"settings": self.settings} | ({"job": job} if job else {})
        statefile.save(self.folder / CHECKPOINT, state, **header)
        self.memory, self.kept, self.gan.home = None, state["step"], self._home

    def _settle(self):
        """Write the state that the run began with, before anything else of it is written."""
        if self.folder and self.memory is not None:
            self._write(statefile.restore(*self.memory))

    # What the folder holds already

    def open(self, resume):
        """Load the run that the folder holds, or refuse a folder that already holds one.

        A folder that holds this very run, begun in the same process, is accepted.

        Raises
        ------
        CheckpointError
            If the folder holds a run with other settings, or a run and ``resume`` is false, or
            files of a run without its checkpoint.
        """
        if resume and self.folder is None:
            raise CheckpointError("resume=True needs out_dir: the folder that holds the run.")
        if self.folder is None:
            return
        if self.run.process:
            self._follow(resume)
            return
        if not (self.folder / CHECKPOINT).is_file():
            self._refuse_remains()
            return
        state, header = statefile.load(self.folder / CHECKPOINT)
        checkpoint.check_step(state, self.folder / CHECKPOINT)
        old = schema.read(
            dict[str, object], header.get("settings"), f"settings of {self.folder}", CheckpointError
        )
        free = (*FREE, "steps") if self.endless else FREE
        if same_pictures(old, self.settings):
            free = (*free, "data")
        changes = checkpoint.differences(old, self.settings, free)
        begun_here = self._home == getattr(self.gan, "home", None)
        begun_here = begun_here and 0 < state["step"] <= self.gan.step
        if resume:
            self._resume(state, old, changes)
        elif changes or not begun_here:
            raise CheckpointError(
                f"{self.folder} holds a run already. Go on with it (resume=True, or --resume on "
                "the command line), or choose another folder."
            )
        else:
            self.kept = state["step"]
        for folder in (self.folder, self.folder / SAMPLES):
            for part in leftovers(folder):
                part.unlink()

    def _follow(self, resume):
        """Load the run that the first process goes on with, and leave its folder alone."""
        path, self.folder = self.folder / CHECKPOINT, None
        if resume and path.is_file():
            state, _ = statefile.load(path)
            checkpoint.check_step(state, path)
            checkpoint.check(self.gan, state, self._shapes, path)
            self._load(state)

    @property
    def _shapes(self):
        return {tuple(field.shape) for field in self.data.fields.values() if field.side}

    def _refuse_remains(self):
        found = remains(self.folder)
        if found:
            raise CheckpointError(
                f"{self.folder} holds files of a run ({', '.join(found)}), but no {CHECKPOINT} "
                "that can be read. Restore that file, or choose another folder."
            )

    def _resume(self, state, old, changes):
        where = self.folder / CHECKPOINT
        if changes:
            more = len(changes) - MOST_CHANGES
            told = changes[:MOST_CHANGES] + [f"and {more:,} more"] * (more > 0)
            raise CheckpointError(
                f"{self.folder} holds a run with other settings, at step {state['step']}:\n  "
                + "\n  ".join(told)
                + "\nGo on with the old settings, or start the new ones in another folder."
            )
        checkpoint.check(self.gan, state, self._shapes, where)
        for line in checkpoint.differences(old, self.settings):
            say(f"gancourse: {self.folder} goes on with another setting: {line}", err=True)
        self._load(state)
        self.kept = state["step"]
        self._read_history(state["windows"])

    def _read_history(self, windows):
        """Read history.jsonl; if it is damaged, keep it under another name, and say so."""
        path, before = self.folder / HISTORY, self.gan.history
        history = History.read(path, until=self.gan.step)
        history.records, history.window = before.records, before.window
        history.samples = before.samples
        self.gan.history = history
        history.damaged = lost = max(history.damaged, windows - history.complete)
        if lost:
            aside = set_aside(path)
            self._write_history()
            kept = f"; the old file is kept as {aside.name}" if aside else ""
            lines = f"{lost} rows are damaged or missing, and are left out{kept}."
            say(f"gancourse: {path}: {lines}", err=True)

    # What the run writes besides

    def log(self):
        """Append the latest log window to history.jsonl."""
        if not self.folder:
            return
        self._settle()
        if not self.logged:
            self._write_history()
            return
        try:
            with open(self.folder / HISTORY, "a", encoding="utf-8") as file:
                file.write(json.dumps(self.gan.history.row()) + "\n")
        except OSError as error:
            why = f"cannot write {self.folder / HISTORY}: {paths.reason(error)}."
            raise CourseError(why) from error

    def _write_history(self):
        self.gan.history.write(self.folder / HISTORY)
        self.logged = True

    def picture(self, step, samples):
        """Write a picture of ``samples`` into samples/."""
        if self.folder:
            self._settle()
            path = self.folder / SAMPLES / f"step_{step:07d}.png"
            try:
                path.parent.mkdir(exist_ok=True)
            except OSError as error:
                raise CourseError(f"cannot make {path.parent}: {paths.reason(error)}.") from error
            plotting.save_samples(samples, path)

    def publish(self):
        """Write the generator alone, for sampling."""
        if self.folder:
            self._settle()
            fields = {name: field.card() for name, field in self.data.fields.items()}
            about = {"data": self.data.name, "fields": fields}
            about |= {"seed": self.run.seed, "device": self.run.device.type}
            checkpoint.save_generator(self.folder / GENERATOR, self.gan, **about | self.card)


def require(folder):
    """Raise a CheckpointError unless a folder holds a checkpoint."""
    if not (Path(folder) / CHECKPOINT).is_file():
        raise CheckpointError(
            f"there is nothing to resume: {folder} has no {CHECKPOINT}. Check the path; a new run "
            "needs another folder or an empty one."
        )


def precision_of(folder):
    """Return the precision of the run that a folder holds; None if its checkpoint says none."""
    settings = statefile.load(Path(folder) / CHECKPOINT)[1].get("settings")
    found = settings.get("precision") if isinstance(settings, dict) else None
    return found if found in PRECISIONS else None


def begun_by(folder, job):
    """Return whether a folder holds a checkpoint of this job of torchrun: see ``parallel.job``."""
    path = Path(folder) / CHECKPOINT
    return bool(job) and path.is_file() and statefile.load(path)[1].get("job") == job


def same_pictures(old, new):
    """Return whether two settings name data of the same kind and content, whatever their path."""
    kinds = [str(one.get("data")).partition(":")[0] for one in (old, new)]
    contents = [one.get("content") for one in (old, new)]
    return kinds[0] == kinds[1] and contents[0] == contents[1] and bool(contents[0])


def remains(folder):
    """Return the names of what a run has left in a folder."""
    names = [name for name in (CHECKPOINT, GENERATOR, HISTORY) if os.path.lexists(folder / name)]
    samples = folder / SAMPLES
    return names + [SAMPLES] * (samples.is_dir() and any(samples.iterdir()))


def set_aside(path):
    """Keep what a path holds, if anything, under a name that no other has; return the new path.

    A file is copied: it stays until its successor is written, which a full disk may prevent.
    """
    if not os.path.lexists(path):
        return None
    number, aside = 1, path.with_name(f"{path.name}.damaged")
    while os.path.lexists(aside):
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{number}")
    if path.is_file():
        write_atomically(aside, path.read_bytes())
    else:  # a folder, a pipe or a link to nothing has no rows, and would be in the way
        path.rename(aside)
    return aside
