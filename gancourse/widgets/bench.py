"""The measuring bench: real pictures are disturbed, and all measures move side by side."""

import html

import ipywidgets as widgets
import matplotlib.pyplot as plt
import torch

from gancourse.errors import CourseError
from gancourse.plotting import INK, REAL, STYLE
from gancourse.widgets.board import GAP, Board
from gancourse.widgets.explorer import Explorer, as_images, in_row, slider, with_unit

BLURS = (0.0, 0.5, 1.0, 1.5, 2.0)  # standard deviations of the Gaussian, in pixels
SIZES = (100, 150, 200, 300, 400)  # samples
TILE, SHOWN = 64, 8  # CSS pixels, and the samples that are shown
BAR = 150  # CSS pixels
LOST = "classes lost"
START = {"samples": SIZES[-1], "blur": 0.0, LOST: 0, "copies": 0}


class MeasureBench(Explorer):
    """Sliders for the number of samples, blur, lost classes and copies; measures beside them.

    The "samples" are real pictures, so that where nothing is disturbed each measure has the value
    of a perfect generator.

    Parameters
    ----------
    real, pictures : Tensor, (M, C, H, W) and (N, C, H, W)
        Two sets of real pictures without a picture in common, in [-1, 1] or uint8: what the samples
        are compared with, and what is disturbed.
    labels : Tensor, (N,)
        Classes of ``pictures``, counted from 0; the first ones are lost first.
    judge : Judge
        Any object with ``features(images)``, (n, d), and ``net.head(features)``, (n, classes).
    measures : dict of str to callable
        By name, ``measure(real, features, logits)``: a number, of the features of both sets, as
        many of each, float64, and the logits of the second.

    Raises
    ------
    CourseError
        If labels and pictures do not fit, or there are fewer pictures than the sliders ask for.

    Examples
    --------
    >>> MeasureBench(  # doctest: +SKIP
    ...     test.images(), data.images(range(1000)), data.labels[:1000], load_judge("digits"),
    ...     {"FID": lambda real, features, logits: frechet(real, features)},
    ... )
    """

    summary = (
        "Curves of the measures over each disturbance: fewer samples, blur, lost classes, copies."
    )

    def __init__(self, real, pictures, labels, judge, measures):
        pictures = as_images(pictures, "pictures")
        from torchvision.transforms.functional import gaussian_blur  # takes seconds to import

        self.measures = dict(measures)
        self.labels = torch.as_tensor(labels).detach().cpu()
        self.classes = judge.net.head.out_features
        if self.labels.shape != (len(pictures),) or len(pictures) < SIZES[-1]:
            raise CourseError(
                f"the bench needs a label for each picture, and {SIZES[-1]} pictures or more, "
                f"found {len(pictures):,} and labels {tuple(self.labels.shape)}"
            )
        self.real = judge.features(as_images(real, "real")[: SIZES[-1]]).cpu().double()
        self.blurred, self.features, self.logits = {}, {}, {}
        for blur in BLURS:
            images = pictures
            for side in ([13, 1], [1, 13]) if blur else ():  # a tenth of the products of 13x13
                images = gaussian_blur(images, side, [blur, blur])
            self.blurred[blur] = images
            found = judge.features(images)
            self.features[blur] = found.cpu().double()
            self.logits[blur] = judge.net.head(found).cpu()
        self.best = self.measure(**START)
        extremes = ({"blur": BLURS[-1]}, {LOST: self.classes - 1}, {"copies": 98})
        found = [self.best, *(self.measure(**START | one) for one in extremes)]
        self.longest = {name: max(values[name] for values in found) for name in self.measures}

    def chosen(self, samples, lost, copies):
        """Return which pictures are taken, (samples,), and how many of them differ.

        Parameters
        ----------
        samples, lost : int
        copies : int
            The percentage of samples that repeat another one.
        """
        pool = (self.labels >= lost).nonzero()[:, 0]
        different = min(max(1, round(samples * (1 - copies / 100))), len(pool))
        return pool[torch.arange(samples) % different], different

    def measure(self, **setting):
        """Return the measures by name.

        Parameters
        ----------
        **setting
            ``samples``, ``blur``, ``classes lost`` and ``copies``, as the sliders have them.

        Returns
        -------
        dict of str to float
        """
        blur = setting["blur"]
        rows, _ = self.chosen(setting["samples"], setting[LOST], setting["copies"])
        given = self.real[: len(rows)], self.features[blur][rows], self.logits[blur][rows]
        return {name: float(measure(*given)) for name, measure in self.measures.items()}

    def build(self):
        """Make the sliders, the samples and the bars."""
        stepped, whole = widgets.SelectionSlider, widgets.IntSlider
        self.controls = {
            "samples": slider(
                stepped, "Samples", "How many are measured", options=SIZES, value=SIZES[-1]
            ),
            "blur": slider(
                stepped, "Blur", "Standard deviation of a Gaussian", options=BLURS, value=0.0
            ),
            LOST: slider(
                whole, "Lost", "Classes that are never drawn", value=0, min=0, max=self.classes - 1
            ),
            "copies": slider(
                whole, "Copies", "Samples that repeat another one", value=0, min=0, max=98, step=2
            ),
        }
        self.board = Board([f"sample {i + 1}" for i in range(SHOWN)], SHOWN, TILE)
        self.panel = widgets.HTML()
        self.follow(*self.controls.values())
        self.update()
        units = {"samples": "", "blur": "px", LOST: f"of {self.classes}", "copies": "%"}
        rows = [with_unit(self.controls[n], u, "40px", "1 1 300px") for n, u in units.items()]
        return self.stacked([in_row(rows), self.board.ui, self.panel], SHOWN * (TILE + GAP) + 80)

    def update(self):
        """Measure and draw what the sliders ask for."""
        setting = {name: control.value for name, control in self.controls.items()}
        found = self.measure(**setting)
        rows, different = self.chosen(setting["samples"], setting[LOST], setting["copies"])
        self.board.show(self.blurred[setting["blur"]][rows[:SHOWN]])
        lines = "".join(self.line(name, value) for name, value in found.items())
        self.panel.value = (
            f'<div role="status"><table>{lines}</table><small>{different:,} different pictures '
            "among the samples. Grey mark: 400 samples, undisturbed.</small></div>"
        )

    def line(self, name, value):
        """Return a table's row: a measure's name, a bar with the undisturbed value, the value."""
        ends = [v / max(self.longest[name], 1e-9) * BAR for v in (value, self.best[name])]
        bar, mark = (min(max(end, 0.0), BAR) for end in ends)
        return (
            f"<tr><td>{html.escape(name)}</td><td>"
            f'<svg width="{BAR + 4}" height="16" aria-hidden="true">'
            f'<rect x="0" y="3" width="{bar:.1f}" height="10" rx="2" fill="{REAL}"/>'
            f'<rect x="{mark:.1f}" y="0" width="3" height="16" fill="#888"/></svg></td>'
            f"<td><b>{value:.2f}</b></td></tr>"
        )

    def still(self):
        """Draw each measure over each disturbance, the others being as at the start."""
        over = {
            "samples": SIZES,
            "blur": BLURS,
            LOST: tuple(range(0, self.classes, max(1, self.classes // 5))),
            "copies": (0, 40, 70, 90, 98),
        }
        with plt.rc_context(STYLE):
            down = len(self.measures)
            figure = plt.Figure(figsize=(9.6, 1.7 * down + 0.6))
            axes = figure.subplots(down, len(over), sharex="col", sharey="row", squeeze=False)
            for column, (disturbance, values) in enumerate(over.items()):
                found = [self.measure(**START | {disturbance: value}) for value in values]
                for row, name in enumerate(self.measures):
                    ax = axes[row, column]
                    ax.plot(values, [one[name] for one in found], color=REAL, marker="o", ms=4)
                    ax.axhline(self.best[name], color=INK, lw=0.8, ls=":")
                    if not column:
                        ax.set_ylabel(name)
                axes[0, column].set_title(
                    {"blur": "blur, pixels", "copies": "copies, %"}.get(disturbance, disturbance)
                )
            return figure
