"""The last good state of a run: in a folder if there is one, else in memory."""

import json
from pathlib import Path

import torch
from torch.optim.lr_scheduler import LRScheduler

from gancourse import files, plotting
from gancourse.errors import CheckpointError, CourseError
from gancourse.training import checkpoint
from gancourse.training.guards import diverged
from gancourse.training.history import History
from gancourse.training.runtime import random_state, set_random_state

CHECKPOINT, GENERATOR, HISTORY = "checkpoint.safetensors", "generator.safetensors", "history.jsonl"


class Store:
    """The last good state of a run: in a folder if there is one, else in memory.

    Parameters
    ----------
    gan : GAN
    run : Run
    data
        The data set; a run is resumed only with data of the same name.
    folder : path or None
    card : dict
        What generator.safetensors says of the run.
    """

    def __init__(self, gan, run, data, folder, card):
        self.gan, self.run, self.data, self.card = gan, run, data, card
        self.folder = None if folder is None else Path(folder)
        self.memory = None
        if self.folder:
            try:
                (self.folder / "samples").mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise CheckpointError(
                    f"cannot use {self.folder} for the run: {error.strerror or error}. "
                    "Choose a folder that you may write to."
                ) from error
            files.write_atomically(self.folder / ".writable", b"")
            (self.folder / ".writable").unlink()

    def state(self):
        """Return everything that the rest of the run depends on."""
        return {
            "step": self.gan.step,
            "parts": {name: part.state_dict() for name, part in self.gan.parts().items()},
            "random": random_state(),
        }

    def settings(self):
        """Return the settings that a resumed run must share."""
        rest = {"seed": self.run.seed, "precision": self.run.precision, "data": self.data.name}
        return checkpoint.describe(self.gan.cfg) | rest

    def keep(self):
        """Save the state; raise TrainingDiverged if a weight is not finite."""
        for name, part in self.gan.parts().items():
            if isinstance(part, torch.nn.Module):
                tensors = [*part.parameters(), *part.buffers()]
                if tensors and not torch.stack([t.isfinite().all() for t in tensors]).all():
                    raise diverged(f"the weights of {name}", self.gan.step)
        if self.folder:
            files.save(self.folder / CHECKPOINT, self.state(), settings=self.settings())
            self.memory = None  # from now on the file is the last good state
        else:
            self.memory = files.flatten(self.state())

    def begin(self):
        """Keep the state before the first step in memory, and write history.jsonl."""
        self.memory = files.flatten(self.state())
        if self.folder:
            self.gan.history.write(self.folder / HISTORY)

    def put_back(self):
        """Restore the GAN and its history to the last good state."""
        if self.memory is None:
            self.load(files.load(self.folder / CHECKPOINT)[0])
        else:
            self.load(files.restore(*self.memory))
        self.gan.history.cut(self.gan.step)
        if self.folder:
            self.gan.history.write(self.folder / HISTORY)
        self.publish()

    def load(self, state):
        """Load a saved state into the GAN, and set the random state."""
        where = self.folder / CHECKPOINT if self.folder else "the last good state"
        checkpoint.load_parts(self.gan, state["parts"], where)
        self.gan.step = state["step"]
        set_random_state(state["random"])

    def open(self, resume):
        """Load the run that the folder holds, or refuse a folder that already holds one.

        A folder that holds this very run, begun in the same process, is accepted.

        Raises
        ------
        CheckpointError
            If the folder holds a run with other settings, or a run and ``resume`` is false.
        """
        if resume and self.folder is None:
            raise CheckpointError("resume=True needs out_dir: the folder that holds the run.")
        if self.folder is None or not (self.folder / CHECKPOINT).exists():
            return
        if resume:
            self._resume()
        else:
            self._refuse_to_overwrite()

    def _resume(self):
        state, header = files.load(self.folder / CHECKPOINT)
        scheduled = any(isinstance(part, LRScheduler) for part in self.gan.parts().values())
        free = () if scheduled else ("steps",)  # a schedule may depend on the total
        old, new = header["settings"], self.settings()
        changes = checkpoint.differences(old, new, ignore=free)
        if changes:
            raise CheckpointError(
                f"{self.folder} holds a run with other settings, at step {state['step']}:\n  "
                + "\n  ".join(changes)
                + "\nGo on with the old settings, or start the new ones in another folder."
            )
        self.load(state)
        before = self.gan.history  # has records if the run began in this process
        self.gan.history = History.read(self.folder / HISTORY, until=self.gan.step)
        self.gan.history.records, self.gan.history.samples = before.records, before.samples
        self.gan.history.cut(self.gan.step)

    def _refuse_to_overwrite(self):
        state, header = files.load(self.folder / CHECKPOINT)
        changes = checkpoint.differences(header["settings"], self.settings(), ("steps",))
        if not changes and 0 < self.gan.step >= state["step"]:
            return  # this very run goes on
        raise CheckpointError(
            f"{self.folder} holds a run already. Go on with it (resume=True, or --resume on "
            "the command line), or choose another folder."
        )

    def log(self, history):
        """Append the latest log window to history.jsonl."""
        if self.folder:
            try:
                with open(self.folder / HISTORY, "a", encoding="utf-8") as file:
                    file.write(json.dumps(history.row()) + "\n")
            except OSError as error:
                raise CourseError(f"cannot write {self.folder / HISTORY}: {error}.") from error

    def picture(self, step, samples):
        """Write a picture of ``samples`` into samples/."""
        if self.folder:
            plotting.save_samples(samples, self.folder / "samples" / f"step_{step:07d}.png")

    def publish(self):
        """Write the generator alone, for sampling."""
        if self.folder:
            about = {"data": self.data.name, "seed": self.run.seed, "device": self.run.device.type}
            about |= self.card
            checkpoint.save_generator(self.folder / GENERATOR, self.gan, **about)
