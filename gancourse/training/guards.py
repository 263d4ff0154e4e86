"""What keeps a run from its first step, and what may end it early.

Counts and batches that make no sense; the stop button, too little memory, a loss that is not
finite.
"""

import signal
import threading
from contextlib import contextmanager

from torch import nn

from gancourse.errors import CourseError, TrainingDiverged, check_whole
from gancourse.training import parallel

MOST_ROWS = 2**24  # of a batch; far above all that fits into a memory, and below any overflow


def check_batch_size(size):
    """Raise a CourseError unless a batch may have so many rows, whatever the data and memory."""
    check_whole("batch_size", size, 1, MOST_ROWS)


def check_first_batch(gan, data, run):
    """Raise a CourseError if the data or the networks cannot make the first step.

    Batch normalisation of vectors, one a sample, has no variance over a single sample.
    """
    check_batch_size(gan.cfg.batch_size)
    parallel.check_batch_size(gan.cfg.batch_size, run)
    size = gan.cfg.batch_size // run.processes
    networks = [part for part in gan.parts().values() if isinstance(part, nn.Module)]
    layers = [layer for net in networks for layer in net.modules()]
    if size == 1 and any(isinstance(layer, nn.BatchNorm1d) for layer in layers):
        raise CourseError(
            "batch normalisation needs a batch_size of 2 or more, not 1. Take more samples to a "
            "batch (--batch-size), or a GAN without it."
        )
    with enough_memory(gan):
        batch = data.batch(gan.step, gan.cfg.batch_size, run)
    parallel.check_share(batch, gan.cfg.batch_size, run)


def diverged(term, step):
    """Return the error for a loss or a weight that is no longer finite."""
    return TrainingDiverged(
        f"{term} became NaN or infinite at step {step}. The last good state is kept. Lower the "
        "learning rates (halve lr_g and lr_d), use precision fp32, or see whether a loss takes "
        "the logarithm of a probability; then go on from there.",
        term=term,
        step=step,
    )


@contextmanager
def enough_memory(gan):
    """Turn an out-of-memory error into a CourseError that says what to change."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # only CUDA has a class of its own for it
        words = ("out of memory", "can't allocate memory", "not enough memory")
        if not isinstance(error, MemoryError) and not any(w in str(error) for w in words):
            raise
        raise CourseError(
            f"the device ran out of memory at step {gan.step + 1} with batches of "
            f"{gan.cfg.batch_size}. Use a smaller batch_size, precision bf16, or a smaller preset. "
            f"({str(error).partition(chr(10))[0]})"
        ) from error


class StopButton:
    """Whether the user asked for a stop.

    Several processes stop at the same step, or one would wait for ever for another's gradients.

    Parameters
    ----------
    run : Run

    Attributes
    ----------
    asked : bool
        Whether this process was asked to stop.
    pressed : bool
        Whether the loop shall stop.
    """

    asked = agreed = False

    def __init__(self, run):
        self.run = run

    @property
    def pressed(self):  # noqa: D102 - an attribute
        return self.agreed or (self.asked and self.run.processes == 1)

    def agree(self):
        """Stop if any process was asked to; all processes call this after the same step."""
        self.agreed = parallel.any_of(self.asked, self.run)


@contextmanager
def stop_button(run):
    """Turn the first interrupt into a flag that the loop reads between two steps."""
    stop = StopButton(run)
    if threading.current_thread() is not threading.main_thread():
        yield stop  # signals reach the main thread only
        return

    def press(number, frame):
        if stop.asked:
            raise KeyboardInterrupt
        stop.asked = True

    previous = signal.signal(signal.SIGINT, press)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, previous)
