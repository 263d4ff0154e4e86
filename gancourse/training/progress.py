"""The progress of a run: a display that is updated in a notebook, lines of text elsewhere."""

import html
import sys
import time

from gancourse import plotting
from gancourse.files.streams import say


def make_view(first, steps, quiet=False):
    """Return the view that shows a run: for a notebook, for a terminal, or an empty one.

    Parameters
    ----------
    first : int
        The step at which training begins; more than 0 if a run is resumed.
    steps : int
        The step at which training ends.
    quiet : bool
        Show nothing.

    Returns
    -------
    View
    """
    if quiet:
        return View(first, steps)
    return (Notebook if in_notebook() else Terminal)(first, steps)


def in_notebook():
    """Return whether this process is a Jupyter kernel."""
    if "IPython" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    return shell is not None and hasattr(shell, "kernel")


class View:
    """A view that shows nothing; the training loop calls its methods.

    Parameters
    ----------
    first, steps : int
        See :func:`make_view`.
    """

    def __init__(self, first, steps):
        self.first, self.steps = first, steps
        self.start = time.perf_counter()

    def update(self, step, history):
        """Show the values that were logged at this step."""

    def wants_picture(self):
        """Return whether samples should be drawn now, for the screen and for samples/."""
        return True

    def picture(self, history, data):
        """Show the samples in the history."""

    def close(self, step, history):
        """Show that training has ended, finished or not."""

    def words(self, step, history):
        """Return the progress as text: "step 500 of 4,000 · 12 s, 1 min 24 s left"."""
        spent = time.perf_counter() - self.start
        words = f"step {step:,} of {self.steps:,} · {duration(spent)}"
        if step < self.steps and step > self.first:
            left = spent / (step - self.first) * (self.steps - step)
            words += f", {duration(left)} left"
        return words

    def losses(self, history):
        """Return the latest logged values as text."""
        return "  ".join(f"{tag} {value:.3f}" for tag, value in history.latest().items())


class Terminal(View):
    """A view that prints a line for each twentieth of the run."""

    shown = 0

    def update(self, step, history):
        """Print a line if a twentieth of the run has passed since the last line."""
        if step * 20 // self.steps > self.shown or step == self.steps:
            self.shown = step * 20 // self.steps
            say(f"{self.words(step, history)} · {self.losses(history)}")

    def close(self, step, history):
        """Print a line if the run was stopped before its last step."""
        if step < self.steps:
            say(f"stopped at step {step:,} of {self.steps:,}")


class Notebook(View):
    """A view with a progress bar, samples and curves; the saved notebook has their last state."""

    seconds_between_bars = 0.3
    seconds_between_pictures = 3.0

    def __init__(self, first, steps):
        from IPython.display import display

        super().__init__(first, steps)
        self.bar_time = self.picture_time = self.start
        self.bar = display(self.bundle(first, None), raw=True, display_id=True)
        self.figure = None

    def update(self, step, history):
        """Update the bar, a few times a second at most."""
        if time.perf_counter() - self.bar_time > self.seconds_between_bars:
            self.bar_time = time.perf_counter()
            self.bar.update(self.bundle(step, history), raw=True)

    def wants_picture(self):
        """Return whether a few seconds have passed since the last picture; drawing takes time."""
        return time.perf_counter() - self.picture_time > self.seconds_between_pictures

    def picture(self, history, data):
        """Replace the figure of samples and curves."""
        from IPython.display import display

        self.picture_time = time.perf_counter()
        image = plotting.as_display(plotting.training_view(history, data))
        if self.figure is None:
            self.figure = display(image, display_id=True)
        else:
            self.figure.update(image)

    def close(self, step, history):
        """Show the final state of the bar."""
        self.bar.update(self.bundle(step, history, ended=True), raw=True)

    def bundle(self, step, history, ended=False):
        """Return the bar as a MIME bundle: step, time and the latest logged values."""
        words = self.words(step, history)
        if ended and step < self.steps:
            words = f"stopped at step {step:,} of {self.steps:,}: run this cell again to go on"
        losses = self.losses(history) if history is not None and len(history) else ""
        return bar(step / self.steps, words, losses)


def track(items, label):
    """Iterate over items and show a progress bar: how many are done, and the time so far.

    Parameters
    ----------
    items : iterable
        Finite; it is read into a list first.
    label : str
        What an item is, such as "seed".

    Yields
    ------
    object
        Each item.
    """
    items, start = list(items), time.perf_counter()
    shown = None
    if in_notebook():
        from IPython.display import display

        shown = display(bar(0, f"{label} 1 of {len(items)}"), raw=True, display_id=True)
    for i, item in enumerate(items, 1):
        yield item
        words = f"{label} {i} of {len(items)} · {duration(time.perf_counter() - start)}"
        if shown:
            shown.update(bar(i / len(items), words), raw=True)
        else:
            say(words)


def bar(share, words, remark=""):
    """Return a progress bar as HTML and as text.

    Parameters
    ----------
    share : float
        The share that is done, 0 to 1.
    words, remark : str
        The text under the bar, on the left and on the right.

    Returns
    -------
    dict of str to str
        A MIME bundle: "text/html" and "text/plain".
    """
    markup = (
        '<div style="font-family: var(--jp-code-font-family, monospace); font-size: 12px; '
        'line-height: 1.6; max-width: 790px">'
        '<div style="height: 4px; border-radius: 2px; background: #8883">'
        f'<div style="height: 4px; border-radius: 2px; width: {100 * share:.1f}%; '
        f'background: {plotting.REAL}"></div></div>'
        f"{html.escape(words)}"
        f'<span style="float: right; opacity: .75">{html.escape(remark)}</span></div>'
    )
    return {"text/html": markup, "text/plain": f"{words} {remark}".strip()}


def duration(seconds):
    """Return a time in seconds as text: 42 s, 3 min 05 s, 2 h 10 min."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
