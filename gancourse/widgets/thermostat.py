"""The thermostat: BEGAN's controller on a model of a GAN, with sliders for gamma and lambda_k."""

import html
from typing import NamedTuple

import ipywidgets as widgets
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from gancourse.errors import CourseError
from gancourse.plotting import FAKE, INK, REAL, STYLE
from gancourse.plotting.tiles import to_pixels
from gancourse.widgets.board import Board
from gancourse.widgets.explorer import Explorer, as_images, button, headed, in_row, slider

STEPS = 2_000  # of the model
LOSS = 0.1  # L(x), which the model keeps constant
NEAR = 0.05  # a ratio so near to gamma is in balance
WINDOW = 50  # steps over which the ratio is averaged for that
WIDTH, HEIGHT, LEFT, BELOW = 430, 150, 34, 16  # CSS pixels of a panel, and of its margins
TILE, SHOWN = 96, 6  # CSS pixels of a picture, and how many are shown


class Balance(NamedTuple):
    """What :func:`balance` returns.

    Attributes
    ----------
    ratio : numpy.ndarray, (steps,)
        L(G(z)) over L(x).
    k : numpy.ndarray, (steps,)
        From 0 to 1.
    """

    ratio: np.ndarray
    k: np.ndarray


def balance(gamma, lambda_k, *, alone, gain, lag, noise=0.0, k=0.0, steps=STEPS, seed=0):
    """Let BEGAN's controller move k against a model of the two players.

    The players are replaced by one line: the ratio r of the losses, L(G(z)) over L(x), moves
    towards ``alone + gain * k`` by a share of 1 / ``lag`` a step. The controller is the paper's.

    Parameters
    ----------
    gamma, lambda_k : float
        The controller's; see :class:`gancourse.gans.began.Controller`.
    alone : float
        The ratio that the players come to while k is 0.
    gain : float
        By how much the ratio rises in the end when k goes from 0 to 1.
    lag : float
        In steps, at least 1.
    noise : float
        Standard deviation of what a batch adds to the ratio.
    k : float
        At the beginning.
    steps, seed : int

    Returns
    -------
    Balance
    """
    drawn = np.random.default_rng(seed).normal(0.0, noise, steps) if noise else np.zeros(steps)
    ratios, ks, ratio = np.empty(steps), np.empty(steps), alone
    for step in range(steps):
        ratio += (alone + gain * k - ratio) / lag
        ratios[step], ks[step] = max(0.0, ratio + drawn[step]), k
        k = min(1.0, max(0.0, k + lambda_k * LOSS * (gamma - ratios[step])))
    return Balance(ratios, ks)


class Thermostat(Explorer):
    """Set gamma and lambda_k, and see how k brings the ratio of the losses to gamma, or does not.

    Parameters
    ----------
    alone, gain, lag, noise
        The model's; see :func:`balance`.
    faces : dict of float to Tensor, (n, C, H, W)
        By gamma: samples of a generator that was trained with it, n at least 6. Those of the
        nearest gamma are shown.
    told : dict of float to str, optional
        By gamma: what to say of those samples.
    gamma, lambda_k : float
        At first.

    Raises
    ------
    CourseError
        If there are no faces, or the lag is below 1.

    Examples
    --------
    >>> Thermostat(0.3, 0.8, 50, faces={0.5: torch.zeros(6, 3, 32, 32)})  # doctest: +SKIP
    """

    summary = (
        "The ratio of the losses and k over the steps, for three values of lambda_k: too small, k "
        "arrives late; larger, the ratio settles at gamma; too large, k jumps between 0 and 1."
    )

    def __init__(self, alone, gain, lag, noise=0.02, *, faces, told=None, gamma=0.5, lambda_k=0.1):
        if not faces or lag < 1:
            raise CourseError(f"the thermostat needs faces and a lag of at least 1, not {lag}")
        self.model = {"alone": alone, "gain": gain, "lag": lag, "noise": noise}
        self.faces = {g: as_images(images, "faces")[:SHOWN] for g, images in faces.items()}
        self.told, self.start = told or {}, (gamma, lambda_k)

    def build(self):
        """Make the sliders, the curves and the board."""
        gamma, lambda_k = self.start
        self.gamma = slider(
            widgets.FloatSlider, "γ", "The ratio to bring about", value=gamma, min=0.1, max=1.0,
            step=0.05,
        )  # fmt: skip
        self.rate = slider(
            widgets.FloatLogSlider, "λ_k", "How fast k moves", value=lambda_k, min=-3, max=2,
            step=0.25, readout_format=".3g",
        )  # fmt: skip
        self.first = slider(
            widgets.FloatSlider, "k at first", "k before the first step", value=0.0, min=0.0,
            max=1.0, step=0.1, readout_format=".1f",
        )  # fmt: skip
        reset = button("Reset", "As it was at first", self.put_back)
        self.curves, self.panel = widgets.HTML(), widgets.HTML()
        self.board = Board([f"face {i}" for i in range(1, SHOWN + 1)], SHOWN, TILE)
        self.title = widgets.HTML()
        self.follow(self.gamma, self.rate, self.first)
        self.update()
        faces = widgets.VBox([self.title, self.board.ui])
        model = headed("a model of the two players, and the paper's controller", self.curves)
        rows = [self.gamma, in_row([self.rate, self.first]), model, self.panel, faces, reset]
        return self.stacked(rows, 2 * WIDTH + 60)

    def put_back(self):
        """Set the sliders as they were at first."""
        with self.together():
            self.gamma.value, self.rate.value = self.start
            self.first.value = 0.0

    def update(self):
        """Run the model, draw its curves, say where it ends, and show the faces."""
        gamma, rate = self.gamma.value, self.rate.value
        found = balance(gamma, rate, k=self.first.value, **self.model)
        panels = [
            _panel("L(G(z)) / L(x)", found.ratio, FAKE, gamma, max(1.2, found.ratio.max())),
            _panel("k", found.k, REAL, None, 1.0),
        ]
        self.curves.value = (
            f'<div style="display: flex; flex-wrap: wrap; gap: 8px 20px">{"".join(panels)}</div>'
        )
        self.panel.value = f'<div role="status">{html.escape(self.verdict(gamma, found))}</div>'
        nearest = self.nearest(gamma)
        self.board.show(self.faces[nearest])
        told = f": {self.told[nearest]}" if nearest in self.told else ""
        self.title.value = f"<small>G trained with γ = {nearest:g}{html.escape(told)}</small>"

    def nearest(self, gamma):
        """Return the gamma nearest to ``gamma`` that there are faces for."""
        return min(self.faces, key=lambda known: abs(known - gamma))

    def verdict(self, gamma, found):
        """Say in words where the ratio and k are in the last fifth of the steps."""
        last = slice(-len(found.k) // 5, None)
        ratio, k = found.ratio[last].mean(), found.k[last]
        text = f"Last fifth: ratio {ratio:.2f}, k {k.mean():.2f}, swinging by ±{k.std():.2f}. "
        if k.max() == 0:
            return text + "k stays at 0: D ignores the fakes, and the ratio is what comes of it."
        if k.min() == 1:
            return text + "k stays at 1: D can do no more, and the ratio is still below γ."
        if k.std() > 0.1:
            return text + "k jumps: each move comes before the players have answered the last."
        if abs(ratio - gamma) > NEAR:
            return text + "k is still on its way."
        near = np.abs(_smooth(found.ratio) - gamma) < NEAR
        arrived = 0 if near.all() else len(near) - np.argmin(near[::-1]) + WINDOW // 2
        return text + f"In balance from step {arrived:,} on."

    @mpl.rc_context(STYLE)
    def still(self):
        """Draw the model for three values of lambda_k, and the faces of each gamma."""
        gamma, middle = self.start
        down = len(self.faces)
        figure = Figure(figsize=(9.2, 3.6 + 1.4 * down), dpi=STYLE["figure.dpi"])
        above, below = figure.subfigures(2, 1, height_ratios=[3.6, 1.4 * down])
        axes = above.subplots(2, 3, sharex=True, sharey="row")
        for column, rate in enumerate((middle / 30, middle, 300 * middle)):
            found = balance(gamma, rate, **self.model)
            ratio, k = axes[:, column]
            ratio.plot(found.ratio, color=FAKE, linewidth=0.8)
            ratio.axhline(gamma, color=INK, linewidth=0.8, linestyle=":")
            ratio.set_title(f"γ = {gamma:g}, λ_k = {rate:.2g}")
            k.plot(found.k, color=REAL)
            k.set(xlabel="step of the model", ylim=(-0.05, 1.05))
        axes[0, 0].set(ylabel="L(G(z)) / L(x)", ylim=(0, None))
        axes[1, 0].set_ylabel("k")
        rows = below.subplots(down, 1, squeeze=False)[:, 0]
        for ax, (known, images) in zip(rows, self.faces.items(), strict=True):
            told = f": {self.told[known]}" if known in self.told else ""
            ax.set_title(f"G trained with γ = {known:g}{told}")
            ax.imshow(np.concatenate(list(to_pixels(images)), 1))
            ax.set_axis_off()
        return figure


def _smooth(values):
    return np.convolve(values, np.ones(WINDOW) / WINDOW, mode="valid")


def _panel(title, values, colour, level, top):
    """Return a curve as SVG, its axis from 0 to ``top``, with a dotted line at ``level``."""
    wide, high = WIDTH - LEFT - 6, HEIGHT - BELOW - 8
    # Each point is the mean of the steps between two pixels, so that noise is drawn as it is seen.
    parts = np.array_split(values, min(len(values), wide))
    xs = np.linspace(LEFT, LEFT + wide, len(parts))
    ys = 8 + high * (1 - np.array([part.mean() for part in parts]) / top)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
    ink, lines = "var(--jp-ui-font-color2, #666)", []
    for value in (0.0, 0.5, 1.0):
        y = 8 + high * (1 - value / top)
        lines.append(
            f'<line x1="{LEFT}" x2="{LEFT + wide}" y1="{y:.1f}" y2="{y:.1f}" stroke="{ink}" '
            f'stroke-opacity="0.3"/><text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" '
            f'font-size="11" fill="{ink}">{value:g}</text>'
        )
    if level is not None:
        y = 8 + high * (1 - level / top)
        lines.append(
            f'<line x1="{LEFT}" x2="{LEFT + wide}" y1="{y:.1f}" y2="{y:.1f}" stroke="{ink}" '
            f'stroke-dasharray="2 3"/><text x="{LEFT + wide}" y="{y - 4:.1f}" text-anchor="end" '
            f'font-size="12" fill="{ink}">γ</text>'
        )
    for x, anchor, text in ((LEFT, "start", "step 0"), (LEFT + wide, "end", f"{len(values):,}")):
        lines.append(
            f'<text x="{x}" y="{HEIGHT - 2}" text-anchor="{anchor}" font-size="11" '
            f'fill="{ink}">{text}</text>'
        )
    return (
        f"<div><small>{html.escape(title)}</small><br>"
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{html.escape(title)}">'
        f'{"".join(lines)}<polyline points="{points}" fill="none" stroke="{colour}" '
        'stroke-width="1.8"/></svg></div>'
    )
