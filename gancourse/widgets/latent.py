"""The latent explorer: what a generator draws while z moves along its main directions."""

import ipywidgets as widgets
import matplotlib.pyplot as plt
import torch
from PIL import Image, ImageDraw

from gancourse.errors import CourseError
from gancourse.plotting import STYLE, draw_rows
from gancourse.widgets.explorer import (
    NoiseExplorer,
    ask,
    button,
    in_row,
    picture_of,
    seed_box,
    show,
    slider,
    with_unit,
)

SIDE = 4  # the grid is SIDE x SIDE
TILE, GAP = 96, 4  # CSS pixels
PICTURE = SIDE * TILE + (SIDE - 1) * GAP
SHOWN = 2  # directions in the still picture
FRAME = "#e0a030"  # around the sample that is enlarged
REACH = 3.0  # sliders go from -REACH to REACH standard deviations


def principal_directions(generator, k=6, *, generate=None, n=512):
    """Find the directions in which z changes the images most, strongest first.

    They are the right singular vectors of the linear map that predicts the images of ``n`` samples
    from their z with least squares (in the spirit of Härkönen et al. 2020, arXiv:2004.02546, who
    regress z on the principal components of a layer's response).

    Parameters
    ----------
    generator : object
        See :class:`LatentExplorer`.
    k : int
        How many directions; fewer if z has fewer numbers.
    generate : callable, optional
        ``generate(z)`` returns images, (n, C, H, W); by default the generator's own.
    n : int
        Samples for the least squares, at least 4 for each number of z.

    Returns
    -------
    Tensor, (k, latent_dim)
        Orthogonal unit vectors; the largest number of each is positive.
    """
    z = generator.draw_z(max(n, 4 * generator.latent_dim), seed=0).float()
    images = ask(generate or generator, z).flatten(1)
    z = z.cpu()
    weight = torch.linalg.lstsq(z - z.mean(0), images - images.mean(0)).solution.T
    directions = torch.linalg.svd(weight, full_matrices=False).Vh[:k]
    peaks = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    return directions * peaks.sign()


def as_directions(directions, latent_dim):
    """Check directions that were handed to an explorer; return them on the CPU, in float32.

    Raises
    ------
    CourseError
        If they are not (k, latent_dim).
    """
    directions = torch.as_tensor(directions).detach().float().cpu()
    if directions.dim() != 2 or directions.shape[1] != latent_dim:
        raise CourseError(
            f"directions must be (k, latent_dim) = (k, {latent_dim}), not {tuple(directions.shape)}"
        )
    return directions


class LatentExplorer(NoiseExplorer):
    """Show how a generator's images change along the main directions of its latent space.

    z = m + truncation * (z0 - m) + sum of slider_k * sd * direction_k, where z0 is drawn by the
    generator; m and sd are the mean and the standard deviation of its draws. Truncation scales z0
    towards the mean, as in Karras et al. 2019 (arXiv:1812.04948); Brock et al. 2019
    (arXiv:1809.11096), who named it, resample z. 1 leaves the samples as they are, 0 makes them
    all the same.

    Parameters
    ----------
    generator : object
        A :class:`~gancourse.trained.TrainedGenerator`, or another object with ``latent_dim``,
        ``draw_z(n, seed)``, which returns (n, latent_dim), and a call ``generator(z)``, which
        returns images (n, C, H, W) in [-1, 1]; C is 1 or 3.
    directions : Tensor, (k, latent_dim), optional
        Unit vectors to explore; by default the :func:`principal_directions` of the generator.
    seed : int
        Of the samples that are shown at first.

    Raises
    ------
    CourseError
        If the generator, its images or the directions do not fit.

    Examples
    --------
    >>> LatentExplorer(pretrained("vanilla-digits"))  # doctest: +SKIP
    >>> LatentExplorer(TrainedGenerator(gan, vanilla))  # doctest: +SKIP
    """

    def __init__(self, generator, *, directions=None, seed=0):
        super().__init__(generator, seed)
        if directions is None:
            directions = principal_directions(generator)
        self.directions = as_directions(directions, generator.latent_dim)
        first = self.images(torch.zeros(len(self.directions)), n=1)  # errors before the widget
        self.small = max(first.shape[2:]) <= TILE  # the page enlarges them: less to send
        self.summary = (
            f"Generated images along {min(SHOWN, len(self.directions))} of "
            f"{len(self.directions)} directions of the latent space, "
            f"one direction a row, from -{REACH:g} to {REACH:g} standard deviations."
        )

    def images(self, shifts, *, seed=None, truncation=1.0, n=SIDE * SIDE):
        """Generate samples that are moved along the directions.

        Parameters
        ----------
        shifts : sequence of float, (k,)
            Standard deviations along each direction.
        seed : int, optional
            Of the samples before they are moved; by default the explorer's.
        truncation : float
            In [0, 1].
        n : int
            How many.

        Returns
        -------
        Tensor, (n, C, H, W)
            On the CPU, in [-1, 1].
        """
        start = self.draw_z(n, seed)
        shift = torch.as_tensor(shifts, dtype=torch.float32) @ self.directions  # (latent_dim,)
        z = self.mean + truncation * (start - self.mean) + self.sd * shift.to(start.device)
        return ask(self.generator, z)

    def build(self):
        """Make the sliders and the two pictures."""
        self.sliders = [
            slider(
                widgets.FloatSlider,
                f"Direction {i + 1}",
                f"Move every sample along direction {i + 1}, in standard deviations",
                value=0.0,
                min=-REACH,
                max=REACH,
                step=0.1,
                readout_format="+.1f",
            )
            for i in range(len(self.directions))
        ]
        self.truncation = slider(
            widgets.FloatSlider,
            "Truncation",
            "1: samples as drawn. 0: the mean of z for all of them",
            value=1.0,
            min=0.0,
            max=1.0,
            step=0.05,
            readout_format=".2f",
        )
        self.picked = slider(
            widgets.IntSlider,
            "Enlarge",
            "Which sample of the grid to enlarge, counted row by row",
            value=1,
            min=1,
            max=SIDE * SIDE,
        )
        self.seed_box = seed_box(self.seed)
        self.reset = button("Reset", "Put all sliders back; the seed stays", self.put_back)
        self.large, self.grid = (
            widgets.Image(format="png", layout=widgets.Layout(width="100%")) for _ in range(2)
        )
        for picture in (self.large, self.grid) if self.small else ():
            picture.add_class("gancourse-pixels")
        controls = (*self.sliders, self.truncation, self.picked)
        self.follow(*controls, self.seed_box)
        self.update()

        units = ["sd"] * len(self.sliders) + ["", f"of {SIDE * SIDE}"]
        rows = [with_unit(*pair, width="40px") for pair in zip(controls, units, strict=True)]

        def columns(children, least, gap):
            wide = f"repeat(auto-fit, minmax(min({least}px, 100%), 1fr))"
            layout = widgets.Layout(grid_template_columns=wide, grid_gap=gap)
            return widgets.GridBox(children, layout=layout)

        parts = [
            columns([self.large, self.grid], 150, "20px"),
            columns(rows, 270, "2px 20px"),
            in_row([self.seed_box, self.reset]),
        ]
        return self.stacked(parts, 2 * PICTURE + 20)

    def update(self):
        """Draw the samples where the controls stand."""
        images = self.images(
            [slider.value for slider in self.sliders],
            seed=self.seed_box.value,
            truncation=self.truncation.value,
        )
        picked, side = self.picked.value - 1, max(images.shape[2:])
        large, tile = (side, side) if self.small else (2 * PICTURE, 2 * TILE)  # for dense screens
        show(self.large, picture_of(images[picked], large))
        show(self.grid, _tiles(images, picked, tile))

    def put_back(self):
        """Put every slider back; the seed stays."""
        with self.together():
            for slider in self.sliders:
                slider.value = 0.0
            self.truncation.value = 1.0

    def still(self):
        """Draw one sample along the first directions, a row each."""
        sweep, many = torch.linspace(-REACH, REACH, 5), len(self.directions)
        rows = {}
        for i in range(min(many, SHOWN)):
            shifts = torch.zeros(len(sweep), many)
            shifts[:, i] = sweep
            rows[f"direction {i + 1}"] = torch.cat([self.images(shift, n=1) for shift in shifts])
        with plt.rc_context(STYLE):
            return draw_rows(rows, heads=[f"{x:+g} sd" if x else "0" for x in sweep.tolist()])


def _tiles(images, picked, tile):
    gap, frame = max(1, round(tile * GAP / TILE)), max(1, tile // 32)
    side = SIDE * tile + (SIDE - 1) * gap
    picture = Image.new("RGBA", (side, side))  # between the tiles the page shows
    for i, image in enumerate(images):
        corner = ((i % SIDE) * (tile + gap), (i // SIDE) * (tile + gap))
        picture.paste(picture_of(image, tile).convert("RGBA"), corner)
        if i == picked:
            box = (*corner, corner[0] + tile - 1, corner[1] + tile - 1)
            ImageDraw.Draw(picture).rectangle(box, outline=FRAME, width=frame)
    return picture
