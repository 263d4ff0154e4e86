"""Batches that are made while the device computes."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

DEPTH = 3  # batches that are ready or in the making


class Ahead:
    """The batches of the next steps, made by a thread.

    A batch depends on its step alone, so that it is the same whenever it is made.

    Parameters
    ----------
    data : gancourse.data.Data
    size : int
        Samples in a batch.
    run : Run
    steps : int
        Of the whole run; no batch is made for a later one.
    """

    def __init__(self, data, size, run, steps):
        self.data, self.size, self.run, self.steps = data, size, run, steps
        self._pool = ThreadPoolExecutor(1, "batches")
        self._coming = {}

    def batch(self, step):
        """Return the batch of a step, and let the thread begin those of the next ones."""
        self._coming = {n: job for n, job in self._coming.items() if n >= step}
        for n in range(step, min(step + DEPTH, self.steps)):
            if n not in self._coming:
                self._coming[n] = self._pool.submit(self.data.batch, n, self.size, self.run)
        return self._coming.pop(step).result()

    def close(self):
        """End the thread."""
        self._pool.shutdown(cancel_futures=True)


@contextmanager
def batches(data, size, run, steps):
    """Return a function that returns the batch of a step, until a ``with`` block ends.

    Data on the device of the run make their batches faster than a thread could.
    """
    if getattr(data, "device", run.device) == run.device:
        yield lambda step: data.batch(step, size, run)
        return
    ahead = Ahead(data, size, run, steps)
    try:
        yield ahead.batch
    finally:
        ahead.close()
