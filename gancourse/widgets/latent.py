"""The latent explorer: what a generator draws while z moves along its main directions."""

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import nn

from gancourse.errors import CourseError
from gancourse.latent import Prior
from gancourse.plotting import STYLE, draw_images
from gancourse.widgets.explorer import (
    Explorer,
    ask,
    button,
    is_smooth,
    picture_of,
    seed_box,
    show,
    slider,
)

SIDE = 4  # the grid is SIDE x SIDE
TILE, GAP = 80, 4  # CSS pixels; drawn with twice as many, for dense screens
PICTURE = SIDE * TILE + (SIDE - 1) * GAP
FRAME = "#e0a030"  # around the sample that is enlarged
REACH = 3.0  # sliders go from -REACH to REACH standard deviations


def latent_explorer(generate, latent_dim, *, prior="uniform", directions=None, seed=0):
    """Show how a generator's images change along the main directions of its latent space.

    z = m + truncation * (z0 - m) + sum of slider_k * sd * direction_k, where z0 is drawn from the
    prior; m and sd are the prior's mean and standard deviation in each coordinate. Truncation
    pulls z0 towards the prior's mean (Brock et al. 2019, arXiv:1809.11096, resample z; Karras et
    al. 2019, arXiv:1812.04948, scale towards the mean, as here): 1 leaves the samples as they
    are, 0 makes them all the same.

    Parameters
    ----------
    generate : Module or callable
        ``generate(z)`` with z of shape (n, latent_dim) returns images (n, C, H, W) in [-1, 1];
        C is 1 or 3.
    latent_dim : int
        Numbers in z.
    prior : {"uniform", "normal"} or pair of float
        Where z0 is drawn from: each number uniform in [-sqrt(3), sqrt(3)], from N(0, 1), or
        uniform between the two numbers given, as (-1, 1) for the DCGAN.
    directions : Tensor, (k, latent_dim), optional
        Unit vectors to explore; by default :func:`principal_directions` of ``generate``.
    seed : int
        The first set of samples.

    Returns
    -------
    LatentExplorer
        Shows itself as the last value of a cell.

    Raises
    ------
    CourseError
        If the generator's images or the directions do not fit.

    Examples
    --------
    >>> digit_explorer(gan.netG, gan.cfg.latent_dim)  # doctest: +SKIP
    >>> digit_explorer(lambda z: sample(gan, len(z), z=z), 64)  # doctest: +SKIP
    """
    return LatentExplorer(generate, latent_dim, prior, directions, seed)


def principal_directions(generate, latent_dim, k=6, *, prior="uniform", n=512):
    """Find the directions in which z changes the images most, strongest first.

    For a module whose first layer is linear they are the right singular vectors of that layer's
    weight (Shen & Zhou 2021, arXiv:2007.06600). For any other function they are those of the
    linear map that predicts the images of ``n`` samples from their z with least squares
    (in the spirit of Härkönen et al. 2020, arXiv:2004.02546, who regress z on the principal
    components of a layer's response).

    Parameters
    ----------
    generate : Module or callable
        See :func:`latent_explorer`.
    latent_dim : int
    k : int
        How many directions; fewer if z has fewer numbers.
    prior : {"uniform", "normal"} or pair of float
    n : int
        Samples for the least squares.

    Returns
    -------
    Tensor, (k, latent_dim)
        Unit vectors at right angles to each other; the largest number of each is positive.
    """
    weight = None
    if isinstance(generate, nn.Module):
        layers = (m for m in generate.modules() if next(m.parameters(False), None) is not None)
        first = next(layers, None)
        if isinstance(first, nn.Linear) and first.in_features == latent_dim:
            weight = first.weight.detach().float().cpu()  # (features, latent_dim)
    if weight is None:
        z = Prior.of(prior).draw(max(n, 4 * latent_dim), latent_dim, 0)
        images = ask(generate, z).flatten(1)
        weight = torch.linalg.lstsq(z - z.mean(0), images - images.mean(0)).solution.T
    directions = torch.linalg.svd(weight, full_matrices=False).Vh[:k]
    peaks = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    return directions * peaks.sign()


class LatentExplorer(Explorer):
    """What :func:`latent_explorer` returns."""

    def __init__(self, generate, latent_dim, prior="uniform", directions=None, seed=0):
        self.generate, self.latent_dim = generate, latent_dim
        self.prior = Prior.of(prior)
        self.seed = seed
        if directions is None:
            directions = principal_directions(generate, latent_dim, prior=prior)
        self.directions = torch.as_tensor(directions).detach().float().cpu()
        if self.directions.dim() != 2 or self.directions.shape[1] != latent_dim:
            raise CourseError(
                f"directions must be (k, latent_dim) = (k, {latent_dim}), not "
                f"{tuple(self.directions.shape)}"
            )
        self.images(torch.zeros(len(self.directions)))  # a wrong generator is told here
        self.summary = (
            f"Generated images along {len(self.directions)} directions of the latent space, "
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
        start = self.prior.draw(n, self.latent_dim, self.seed if seed is None else seed)
        shift = torch.as_tensor(shifts, dtype=torch.float32) @ self.directions  # (latent_dim,)
        z = self.prior.mean + truncation * (start - self.prior.mean) + self.prior.sd * shift
        return ask(self.generate, z)

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
            "1: samples of the prior. 0: its mean, the same for all",
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
        self.problem = widgets.HTML()
        for control in (*self.sliders, self.truncation, self.picked, self.seed_box):
            control.observe(self.answer, "value")
        self.update()

        units = ["sd"] * len(self.sliders) + ["", f"of {SIDE * SIDE}"]
        rows = [
            widgets.HBox(
                [slider, widgets.Label(unit, layout=widgets.Layout(width="40px", flex="none"))]
            )
            for slider, unit in zip(
                (*self.sliders, self.truncation, self.picked), units, strict=True
            )
        ]

        def columns(children, least, gap):
            wide = f"repeat(auto-fit, minmax(min({least}px, 100%), 1fr))"
            layout = widgets.Layout(grid_template_columns=wide, grid_gap=gap)
            return widgets.GridBox(children, layout=layout)

        buttons = widgets.Layout(flex_flow="row wrap", align_items="center", grid_gap="4px 12px")
        return widgets.VBox(
            [
                columns([self.large, self.grid], 150, "20px"),
                columns(rows, 270, "2px 20px"),
                widgets.HBox([self.seed_box, self.reset], layout=buttons),
                self.problem,
            ],
            layout=widgets.Layout(max_width=f"{2 * PICTURE + 20}px", grid_gap="10px"),
        )

    def update(self):
        """Draw the samples where the controls stand."""
        images = self.images(
            [slider.value for slider in self.sliders],
            seed=self.seed_box.value,
            truncation=self.truncation.value,
        )
        picked = self.picked.value - 1
        show(self.large, picture_of(images[picked], 2 * PICTURE), is_smooth(images))
        show(self.grid, _tiles(images, picked), is_smooth(images))

    def put_back(self):
        """Put every slider back; the seed stays."""
        with self.together():
            for slider in self.sliders:
                slider.value = 0.0
            self.truncation.value = 1.0

    def still(self):
        """Draw one sample along each direction, a row each."""
        sweep = np.arange(-REACH, REACH + 0.25, 0.5)
        shifts = torch.zeros(len(self.directions), len(sweep), len(self.directions))
        for i in range(len(self.directions)):
            shifts[i, :, i] = torch.from_numpy(sweep)
        images = torch.cat([self.images(shift, n=1) for shift in shifts.flatten(0, 1)])
        height, width = (side + 2 for side in images.shape[2:])  # with the line between
        with plt.rc_context(STYLE):
            figure = plt.Figure(figsize=(8.4, 0.3 + 0.573 * len(shifts)))
            ax = figure.subplots()
            draw_images(ax, images, ncol=len(sweep))
            ax.axis("on")
            ax.grid(False)
            ax.spines[:].set_visible(False)
            ax.tick_params(length=0)
            numbers = [f"{x:+g} sd" if x % 1 == 0 else "" for x in sweep]
            numbers[len(sweep) // 2] = "0"
            names = [f"direction {i + 1}" for i in range(len(shifts))]
            ax.set_xticks((np.arange(len(sweep)) + 0.5) * width, numbers)
            ax.set_yticks((np.arange(len(shifts)) + 0.5) * height, names)
            return figure


def _tiles(images, picked):
    tile, gap = 2 * TILE, 2 * GAP
    side = SIDE * tile + (SIDE - 1) * gap
    picture = Image.new("RGBA", (side, side))  # between the tiles the page shows
    for i, image in enumerate(images):
        corner = ((i % SIDE) * (tile + gap), (i // SIDE) * (tile + gap))
        picture.paste(picture_of(image, tile).convert("RGBA"), corner)
        if i == picked:
            box = (*corner, corner[0] + tile - 1, corner[1] + tile - 1)
            ImageDraw.Draw(picture).rectangle(box, outline=FRAME, width=6)
    return picture
