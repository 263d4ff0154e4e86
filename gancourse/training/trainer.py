"""The only training loop of the course.

It knows steps, logging, schedules, averages, pictures, checkpoints and how to stop. It does not
know what a generator is: that is in the GAN's ``train_step``.
"""

import json
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.optim.lr_scheduler import LRScheduler

from gancourse import plotting
from gancourse.data.images import same
from gancourse.errors import CheckpointError, CourseError, TrainingDiverged
from gancourse.files import write_atomically
from gancourse.training import checkpoint
from gancourse.training.ema import EMA
from gancourse.training.history import History
from gancourse.training.progress import make_view
from gancourse.training.runtime import random_state, set_random_state, undisturbed

CHECKPOINT, GENERATOR, HISTORY = "checkpoint.safetensors", "generator.safetensors", "history.jsonl"


def train(
    gan,
    train_step,
    data,
    run,
    *,
    steps=None,
    sample=None,
    record=None,
    record_every=None,
    log_every=None,
    sample_every=None,
    checkpoint_every=None,
    out_dir=None,
    resume=False,
    card=None,
    quiet=False,
):
    """Call ``train_step`` until ``gan.step`` reaches ``steps``.

    Run it again to go on: it begins at ``gan.step``. The stop button (or Ctrl-C) ends it after
    the step in hand, with a GAN that can be sampled and trained further; a second Ctrl-C ends
    it at once.

    Parameters
    ----------
    gan : GAN
        What ``build`` returned; changed in place.
    train_step : callable
        ``train_step(gan, batch, run)`` returns a dict of log tags to detached 0-d tensors.
    data
        ``data.batch(step, size, run)`` returns a dict of tensors and depends on nothing else.
    run : Run
    steps : int, optional
        The total; ``gan.cfg.steps`` if left out.
    sample : callable, optional
        ``sample(gan, n)`` returns n samples of the same latent vectors each time, for pictures.
    record : callable, optional
        ``record(gan)`` returns a dict that is kept, with its step, in ``history.records``:
        before the first step and then every ``record_every`` steps.
    log_every, sample_every, checkpoint_every : int, optional
        In steps. If left out: 200 log lines, 20 pictures and 20 checkpoints a run. A checkpoint
        waits for the end of the log window that it falls into.
    out_dir : path, optional
        Gets checkpoint.safetensors, history.jsonl, samples/ and, whenever training stops,
        generator.safetensors. Without it the state is kept in memory alone.
    resume : bool
        Go on from ``out_dir``'s checkpoint if there is one.
    card : dict, optional
        What generator.safetensors shall say of itself: model, preset, data.
    quiet : bool
        Show nothing.

    Returns
    -------
    History

    Raises
    ------
    TrainingDiverged
        If a loss became NaN or infinite. The GAN is put back to its last good state.
    CheckpointError
        If ``out_dir`` cannot be used, or holds a run of another configuration.
    CourseError
        If the device ran out of memory, the disk is full, or the settings make no sense.
    """
    steps = gan.cfg.steps if steps is None else steps
    every = {
        "log": log_every or max(1, steps // 200),
        "sample": sample_every or max(1, steps // 20),
        "checkpoint": checkpoint_every or max(1, steps // 20),
        "record": record_every or max(1, steps // 20),
    }
    for name, value in {"steps": steps, **{f"{k}_every": v for k, v in every.items()}}.items():
        if not isinstance(value, int) or value < 1:
            raise CourseError(f"{name} must be a whole number of at least 1, not {value!r}.")
    # A checkpoint ends a log window, so that a resumed run logs the same windows.
    every["checkpoint"] = -(-every["checkpoint"] // every["log"]) * every["log"]
    history = gan.history = getattr(gan, "history", History())
    store = Store(gan, run, data, out_dir, card or {})
    if resume:
        history = store.resume(steps)
    else:
        store.refuse_to_overwrite()
    if gan.step >= steps:
        if resume:
            store.publish()  # the run may have been killed just before
        return history
    store.begin()

    start, before = time.perf_counter(), history.seconds[-1] if history.seconds else 0.0
    schedules = [part for part in gan.parts().values() if isinstance(part, LRScheduler)]
    averages = [part for part in gan.parts().values() if isinstance(part, EMA)]
    weights = [
        p
        for part in gan.parts().values()
        if isinstance(part, torch.nn.Module)
        for p in part.parameters()
        if p.requires_grad
    ]
    window = []
    view = make_view(gan.step, steps, quiet)

    def seconds():
        return before + time.perf_counter() - start

    def log():
        means = read_window(window, gan.step)
        if means:
            history.add(gan.step, seconds(), means)
            store.log(history)
            view.update(gan.step, history)

    def picture():
        if sample is not None:
            with undisturbed():
                n = 64 if len(data.shape) == 3 else 512  # images, or points of the plane
                history.samples = sample(gan, n).float().cpu()
            view.picture(history, data)
            store.picture(gan.step, history.samples)

    if record is not None and gan.step == 0:
        with undisturbed():
            history.records.append((0, record(gan)))
    try:
        with stop_button() as stop, enough_memory(gan):
            while gan.step < steps and not stop.pressed:
                losses = train_step(gan, data.batch(gan.step, gan.cfg.batch_size, run), run)
                for schedule in schedules:
                    schedule.step()
                for average in averages:
                    average.update()
                gan.step += 1
                # Stacked on the device; read only at the next log step, so nothing waits here.
                window.append((losses.keys(), torch.stack(list(losses.values()))))

                if gan.step % every["log"] == 0:
                    log()
                if record is not None and gan.step % every["record"] == 0:
                    with undisturbed():
                        history.records.append((gan.step, record(gan)))
                if gan.step % every["checkpoint"] == 0:
                    store.keep()
                if gan.step % every["sample"] == 0 and gan.step < steps and view.wants_picture():
                    picture()
            log()
            store.keep()
            picture()
    except TrainingDiverged:
        store.put_back()
        raise
    finally:
        for weight in weights:  # an error or a second Ctrl-C may have come while one was frozen
            weight.requires_grad_(True)
        view.close(gan.step, history)
    store.publish()
    return history


class Store:
    """The last good state of a run: in a folder if there is one, else in memory.

    Parameters
    ----------
    gan : GAN
    run : Run
    data
        The data set; its name is part of the settings.
    folder : path or None
    card : dict
        What the published generator says of itself.
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
            write_atomically(self.folder / ".writable", b"")
            (self.folder / ".writable").unlink()

    def state(self):
        """Return everything that the rest of the run depends on."""
        return {
            "step": self.gan.step,
            "parts": {name: part.state_dict() for name, part in self.gan.parts().items()},
            "random": random_state(),
        }

    def settings(self):
        """Return what must be the same when a run goes on."""
        rest = {"seed": self.run.seed, "precision": self.run.precision, "data": self.data.name}
        return checkpoint.describe(self.gan.cfg) | rest

    def keep(self):
        """Keep the state, unless its weights are no longer finite."""
        for name, part in self.gan.parts().items():
            if isinstance(part, torch.nn.Module):
                tensors = [*part.parameters(), *part.buffers()]
                if tensors and not torch.stack([t.isfinite().all() for t in tensors]).all():
                    raise diverged(f"the weights of {name}", self.gan.step)
        if self.folder:
            checkpoint.save(self.folder / CHECKPOINT, self.state(), settings=self.settings())
            self.memory = None  # from now on the file is the last good state
        else:
            self.memory = checkpoint.flatten(self.state())

    def begin(self):
        """Remember the state before the first step, and bring history.jsonl up to date."""
        self.memory = checkpoint.flatten(self.state())
        if self.folder:
            self.gan.history.write(self.folder / HISTORY)

    def put_back(self):
        """Return the GAN and its history to the last state that was kept."""
        if self.memory is None:
            self.load(checkpoint.load(self.folder / CHECKPOINT)[0])
        else:
            self.load(checkpoint.restore(*self.memory))
        self.gan.history.cut(self.gan.step)
        if self.folder:
            self.gan.history.write(self.folder / HISTORY)
        self.publish()

    def load(self, state):
        """Load a kept state into the GAN."""
        where = self.folder / CHECKPOINT if self.folder else "the kept state"
        checkpoint.load_parts(self.gan, state["parts"], where)
        self.gan.step = state["step"]
        set_random_state(state["random"])

    def resume(self, steps):
        """Load the folder's checkpoint, if there is one, and return its history."""
        if self.folder is None:
            raise CheckpointError("resume=True needs out_dir: the folder that holds the run.")
        if not (self.folder / CHECKPOINT).exists():
            return self.gan.history
        state, header = checkpoint.load(self.folder / CHECKPOINT)
        scheduled = any(isinstance(part, LRScheduler) for part in self.gan.parts().values())
        free = () if scheduled else ("steps",)  # a schedule may depend on the total
        old, new = header["settings"], self.settings()
        if same(old.get("data", ""), new["data"]):  # a path, written in another way
            old["data"] = new["data"]
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
        return self.gan.history

    def refuse_to_overwrite(self):
        """Raise if the folder holds a run already."""
        if self.folder and (self.folder / CHECKPOINT).exists():
            state, header = checkpoint.load(self.folder / CHECKPOINT)
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


def read_window(window, step):
    """Empty a window of losses: return their means, or raise if one is not finite.

    This is the one place where the loop waits for the device.
    """
    if not window:
        return {}
    tags = list(window[0][0])
    table = torch.stack([row for _, row in window]).cpu().double()  # (steps, tags)
    window.clear()
    bad = (~torch.isfinite(table)).nonzero()
    if len(bad):
        row, column = bad[0].tolist()
        raise diverged(tags[column], step - len(table) + row + 1)
    return dict(zip(tags, table.mean(0).tolist(), strict=True))


def diverged(term, step):
    """Return the error for a loss or a weight that is no longer finite."""
    return TrainingDiverged(
        f"{term} became NaN or infinite at step {step}. The last good state is kept. Lower the "
        "learning rates (halve lr_g and lr_d), use precision fp32, or see whether a loss takes "
        "the logarithm of a probability; then train on from there.",
        term=term,
        step=step,
    )


@contextmanager
def enough_memory(gan):
    """Turn a device's out-of-memory error into advice."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # CUDA has a class for it; MPS and CPU have not
        words = ("out of memory", "can't allocate memory", "not enough memory")
        if not isinstance(error, MemoryError) and not any(w in str(error) for w in words):
            raise
        raise CourseError(
            f"the device ran out of memory at step {gan.step + 1} with batches of "
            f"{gan.cfg.batch_size}. Use a smaller batch_size, precision bf16, or a smaller preset. "
            f"({str(error).partition(chr(10))[0]})"
        ) from error


class StopButton:
    """Whether the user asked for a stop."""

    pressed = False


@contextmanager
def stop_button():
    """Turn the first interrupt into a flag that the loop reads between two steps."""
    stop = StopButton()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # signals reach the main thread only
        return

    def press(number, frame):
        if stop.pressed:
            raise KeyboardInterrupt
        stop.pressed = True

    previous = signal.signal(signal.SIGINT, press)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, previous)
