"""A limit on what threads hold at once, counted in bytes."""

import threading
from contextlib import contextmanager


class Room:
    """So many bytes for all threads together; who finds too few left waits.

    Parameters
    ----------
    most : int
        Bytes.
    """

    def __init__(self, most):
        self.most, self._free = most, most
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, size):
        """Hold ``size`` bytes, or all if there are fewer, while a ``with`` block runs."""
        size = min(size, self.most)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            with self._changed:
                self._free += size
                self._changed.notify_all()
