"""The only training loop of the course.

It counts steps, logs losses, draws pictures, writes checkpoints and stops. What happens in a step
is in the GAN's ``train_step``. Schedules and averages follow their optimizers.
"""

import time
from contextlib import suppress

import torch

from gancourse.errors import CourseError, TrainingDiverged, check_whole
from gancourse.training import parallel
from gancourse.training.ahead import batches
from gancourse.training.graphs import replayed
from gancourse.training.guards import (
    check_first_batch,
    diverged,
    enough_memory,
    stop_button,
)
from gancourse.training.history import History
from gancourse.training.ownership import check_places
from gancourse.training.progress import make_view
from gancourse.training.runtime import seed_process, undisturbed
from gancourse.training.store import CHECKPOINT, GENERATOR, HISTORY, SAMPLES, Store

LONGEST_WINDOW = 10_000  # steps between two lines of the log, unless the caller wants more


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

    It begins at ``gan.step``: call it again to go on. The stop button, or Ctrl-C, ends it after
    the current step; the GAN can then be sampled from and trained further. A second Ctrl-C ends
    it at once.

    Parameters
    ----------
    gan : GAN
        What ``build`` returned; changed in place.
    train_step : callable
        ``train_step(gan, batch, run)`` returns a dict of log tags to detached 0-d tensors. A step
        may leave a tag out. Several stages are one step function: see
        :func:`gancourse.training.in_stages`.
    data : gancourse.data.Data
        ``data.batch(step, size, run)`` returns a dict of tensors and depends on nothing else.
    run : Run
    steps : int, optional
        The total; ``gan.cfg.steps`` if left out. A GAN with a schedule that ends takes no other.
    sample : callable, optional
        ``sample(gan, n)`` returns n samples for a picture, of the same latent vectors each time.
    record : callable, optional
        What ``record(gan)`` returns is kept, with its step, in ``history.records``: before the
        first step, and then every ``record_every`` steps. With ``out_dir`` it consists of numbers,
        text, tensors, and dicts, lists and tuples of these, and is kept in the checkpoint.
    log_every, sample_every, checkpoint_every, record_every : int, optional
        In steps. If left out, a run has 200 log windows, or more of LONGEST_WINDOW steps, 20
        pictures, 20 checkpoints and 20 records. A checkpoint is written at the end of a log window.
    out_dir : path, optional
        The folder for checkpoint.safetensors, history.jsonl, samples/ and, when training stops,
        generator.safetensors; only one run at a time may use it. Without it the last good state
        is kept in memory.
    resume : bool
        Go on from ``out_dir``'s checkpoint; begin anew if the folder is missing or empty.
    card : dict, optional
        What generator.safetensors says of the run: model, preset, data.
    quiet : bool
        Show nothing.

    Returns
    -------
    History

    Raises
    ------
    TrainingDiverged
        If a loss or a weight became NaN or infinite. The GAN gets its last good state back.
    CheckpointError
        If ``out_dir`` cannot be used, another run is at work there, or it holds a run of another
        configuration or a damaged one.
    CourseError
        If the device runs out of memory, the disk is full, an interval is not a whole number
        above 0, ``steps`` does not fit a schedule, or the data are too few for a batch.
    """
    staged = hasattr(train_step, "steps")  # the steps of all stages
    planned = train_step.steps if staged else gan.cfg.steps
    steps = planned if steps is None else steps
    every = intervals(
        steps, log=log_every, sample=sample_every, checkpoint=checkpoint_every, record=record_every
    )
    gan.history = getattr(gan, "history", History())
    store = Store(gan, run, data, steps, out_dir, card or {})
    if steps != planned and not store.endless:
        raise CourseError(
            f"this GAN was built for {planned:,} steps, over which its learning rates fall; steps="
            f"{steps:,} does not fit. Build it with a Config of {steps:,} steps (--steps)."
        )
    check_first_batch(gan, data, run)
    with store:
        store.open(resume)
        if store.folder:
            check_places(store.folder, (CHECKPOINT, GENERATOR, HISTORY), (SAMPLES,))
        parallel.wait(run)  # the first process has found that the folder can be used
        parallel.synchronise(gan, run)
        gan.history.finished = gan.step >= steps
        if gan.history.finished:
            if resume:
                store.publish()  # the run may have been killed before it wrote this
            return gan.history
        view = make_view(gan.step, steps, quiet or run.process > 0)
        progress = Progress(gan, data, run, every, store, view, sample, record)
        try:
            go_on(gan, train_step, run, progress, steps)
        except TrainingDiverged:
            raise
        except CourseError:  # of a disk that is full, for instance, where the generator may fit
            if store.kept is not None:
                with suppress(CourseError):
                    store.publish()
            raise
        store.publish()
    return gan.history


def go_on(gan, train_step, run, progress, steps):
    """Make the steps that are left, in which ``progress`` does what is due.

    See :func:`train`.
    """
    store, view, data = progress.store, progress.view, progress.data
    weights = trainable(gan)
    train_step = replayed(train_step, gan, run)
    seed_process(run, gan.step)
    gan.history.reopen()
    if gan.step == 0 and not gan.history.records:
        progress.record()
    store.begin()
    try:
        with (
            stop_button(run) as stop,
            enough_memory(gan),
            batches(data, gan.cfg.batch_size, run, steps) as batch,
        ):
            while gan.step < steps and not stop.pressed:
                losses = train_step(gan, batch(gan.step), run)
                gan.step += 1
                progress.note(losses)
                if progress.due("log"):
                    progress.log(complete=True)
                    stop.agree()
                if progress.due("record"):
                    progress.record()
                if progress.due("checkpoint"):
                    store.keep()
                if progress.due("sample") and gan.step < steps and view.wants_picture():
                    progress.picture()
            progress.log()
            store.keep()
            progress.picture()
    except TrainingDiverged:
        store.put_back()
        raise
    finally:
        for weight in weights:  # a step that was broken off may have frozen some
            weight.requires_grad_(True)
        view.close(gan.step, gan.history)
    gan.history.finished = gan.step >= steps


def intervals(steps, **wanted):
    """Return after how many steps to log, draw, write a checkpoint and record.

    If nothing is wanted: 200 times a run for "log", but after LONGEST_WINDOW steps at the latest,
    since each of its steps is kept; 20 times for the others.

    Parameters
    ----------
    steps : int
        Of the whole run.
    **wanted : int or None
        The wanted number of steps for each of "log", "sample", "checkpoint" and "record".

    Returns
    -------
    dict of str to int

    Raises
    ------
    CourseError
        If ``steps`` or a wanted number is not a whole number above 0.
    """
    times = {"log": 200, "sample": 20, "checkpoint": 20, "record": 20}
    check_whole("steps", steps, 1)
    for name, value in wanted.items():
        if value is not None:
            check_whole(f"{name}_every", value, 1)
    every = {name: max(1, steps // times[name]) for name in times}
    every["log"] = min(every["log"], LONGEST_WINDOW)
    every |= {name: value for name, value in wanted.items() if value is not None}
    # A checkpoint ends a log window, so that a resumed run logs the same windows.
    every["checkpoint"] = -(-every["checkpoint"] // every["log"]) * every["log"]
    return every


def trainable(gan):
    """Return the weights of the GAN's networks that require a gradient."""
    networks = [part for part in gan.parts().values() if isinstance(part, torch.nn.Module)]
    return [p for net in networks for p in net.parameters() if p.requires_grad]


class Progress:
    """What the loop keeps between steps, and what it does every so many steps.

    Parameters
    ----------
    gan, data, run
        See :func:`train`.
    every : dict of str to int
        After how many steps "log", "sample", "checkpoint" and "record" are due.
    store : Store
    view : View
    sample, record : callable or None
        See :func:`train`.
    """

    def __init__(self, gan, data, run, every, store, view, sample, record):
        self.gan, self.data, self.run, self.every = gan, data, run, every
        self.store, self.view = store, view
        first = run.process == 0  # the others draw and measure nothing
        self.draw, self.measure = (sample, record) if first else (None, None)
        seconds = gan.history.seconds
        self.start = time.perf_counter() - (seconds[-1] if seconds else 0.0)

    def due(self, what):
        """Return whether something, a key of ``every``, is due after this step."""
        return self.gan.step % self.every[what] == 0

    def note(self, losses):
        """Keep a step's losses, on the device until the next log step."""
        if losses:
            values = torch.stack(list(losses.values()))
            self.gan.history.window.append((self.gan.step, tuple(losses), values))

    def log(self, complete=False):
        """Log the means of the window, if it has a step; forget its values if it is complete."""
        history, step = self.gan.history, self.gan.step
        means = means_of(history.window, self.run)
        if means:
            history.add(step, time.perf_counter() - self.start, means)
            self.store.log()
            self.view.update(step, history)
        if complete:
            history.window.clear()

    def record(self):
        """Call ``record``, if there is one."""
        if self.measure is not None:
            with undisturbed():
                found = self.measure(self.gan)
            self.gan.history.record(self.gan.step, found, strict=self.store.folder is not None)

    def picture(self):
        """Draw samples, and show and save a picture of them."""
        if self.draw is not None:
            history = self.gan.history
            with undisturbed():
                n = min(field.shown for field in self.data.fields.values())
                history.samples = self.draw(self.gan, n)
            self.view.picture(history, self.data)
            self.store.picture(self.gan.step, history.samples)


def means_of(window, run):
    """Return the mean of each tag over those steps of a window of losses that had it.

    It is also the mean over all processes. Reading the values makes the loop wait for the device.

    Parameters
    ----------
    window : list of (int, tuple of str, Tensor)
        Steps, their log tags, and the values of these.
    run : Run

    Raises
    ------
    TrainingDiverged
        If a value is not finite.
    """
    if not window:
        return {}
    names = [(step, tag) for step, tags, _ in window for tag in tags]
    values = parallel.mean(torch.cat([values for _, _, values in window]), run)
    values = values.tolist()  # the only wait
    found = {}
    for (step, tag), value in zip(names, values, strict=True):
        if not abs(value) < float("inf"):  # NaN too
            raise diverged(tag, step)
        found.setdefault(tag, []).append(value)
    return {tag: sum(values) / len(values) for tag, values in found.items()}
