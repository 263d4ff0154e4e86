"""The interpolation explorer: a walk through the latent space from one sample to another."""

import base64
import html
import io

import ipywidgets as widgets
import matplotlib.pyplot as plt
import torch
from PIL import Image

from gancourse.errors import CourseError
from gancourse.files import paths
from gancourse.files.writing import write_atomically
from gancourse.latent import lerp, slerp
from gancourse.plotting import STYLE, draw_rows, to_pil
from gancourse.widgets.board import Board
from gancourse.widgets.explorer import (
    NoiseExplorer,
    ask,
    button,
    in_row,
    large_image,
    picture_of,
    seed_box,
    show,
)

WALKS = {"linear": lerp, "spherical": slerp}
LARGE = 256  # CSS pixels; drawn with twice as many, for dense screens
STRIP, TILE = 5, 128  # pictures under the slider, and their side in CSS pixels
SHOWN = 5  # pictures of a walk in the still picture
GIF_SIDE = 192  # pixels, at least
GIF_FRAME, GIF_END = 60, 500  # milliseconds of a picture, and of each of the two ends


class Interpolation(NoiseExplorer):
    """Walk from one sample to another, on a straight line or on a great circle.

    Parameters
    ----------
    generator : object
        A :class:`~gancourse.trained.TrainedGenerator`, or another object with ``latent_dim``,
        ``draw_z(n, seed)``, which returns (n, latent_dim), and a call ``generator(z)``, which
        returns images (n, C, H, W) in [-1, 1]; C is 1 or 3.
    frames : int
        Positions of the slider, and pictures of one way in a GIF; at least 3.
    seed : int
        Of the first sample; the second has the next seed.
    out_dir : str or pathlib.Path, optional
        The folder for GIFs; by default the current one.

    Raises
    ------
    CourseError
        If the generator or its images do not fit, or there are too few frames.

    Examples
    --------
    >>> Interpolation(pretrained("dcgan-toons"), seed=3)  # doctest: +SKIP
    """

    def __init__(self, generator, *, frames=41, seed=0, out_dir=None):
        super().__init__(generator, seed)
        if frames < 3:
            raise CourseError(f"frames must be 3 or more, both ends and one between, not {frames}")
        self.frames, self.out_dir = frames, out_dir
        self.usual = self.lengths.quantile(torch.tensor([0.005, 0.995])).tolist()
        self.images([0.0])  # an error shows before the widget
        self.summary = (
            "Walks between two samples in the latent space: above on a straight line, below on a "
            "great circle."
        )

    def points(self, t, *, ends=None, walk="spherical"):
        """Compute points of a walk.

        Parameters
        ----------
        t : sequence of float, (n,)
            0 is the first end, 1 the second.
        ends : pair of int, optional
            Seeds of the two ends; by default the explorer's seed and the next.
        walk : {"linear", "spherical"}

        Returns
        -------
        Tensor, (n, latent_dim)
        """
        first, last = ends or (self.seed, self.seed + 1)
        a, b = (self.draw_z(1, seed)[0] for seed in (first, last))
        return WALKS[walk](a, b, torch.as_tensor(t, dtype=torch.float32))

    def images(self, t, **options):
        """Generate the images at :meth:`points`; a Tensor, (n, C, H, W) in [-1, 1]."""
        return ask(self.generator, self.points(t, **options))

    def gif(self, **options):
        """Draw a walk there and back.

        Parameters
        ----------
        **options
            Of :meth:`points`.

        Returns
        -------
        bytes
            An animated GIF that repeats forever.
        """
        images = self.images(torch.linspace(0, 1, self.frames), **options)
        side = images.shape[-1] * -(-GIF_SIDE // images.shape[-1])
        there = [picture_of(image, side).convert("RGB") for image in images]
        # One palette for all pictures: with a palette for each the animation would flicker.
        some = images[torch.linspace(0, self.frames - 1, STRIP).round().long()]
        palette = to_pil(some, STRIP, pad=0).convert("RGB").quantize(256)
        there = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in there]
        pictures = there + there[-2:0:-1]
        times = [GIF_FRAME] * len(pictures)
        times[0] = times[self.frames - 1] = GIF_END
        data = io.BytesIO()
        pictures[0].save(
            data, "GIF", save_all=True, append_images=pictures[1:], duration=times, loop=0
        )
        return data.getvalue()

    def build(self):
        """Make the two seeds, the choice of the way, the slider, the pictures and the button."""
        self.ends = [
            seed_box(self.seed, "From seed", "The sample at t = 0"),
            seed_box(self.seed + 1, "To seed", "The sample at t = 1"),
        ]
        self.renewals = [
            button("New", f"Another sample at t = {t}; the other end stays", self._renew(t), "64px")
            for t in (0, 1)
        ]
        self.walk = widgets.ToggleButtons(
            options=[("Linear", "linear"), ("Spherical", "spherical")],
            value="spherical",
            tooltips=[
                "On the straight line from one to the other",
                "On a great circle, at a constant angular speed",
            ],
            style={"button_width": "104px"},
        )
        last = self.frames - 1
        self.slider = widgets.SelectionSlider(
            options=[(f"{i / last:.2f}", i / last) for i in range(self.frames)],
            index=last // 2,
            description="t",
            tooltip="Place on the walk; arrow keys move it by one frame",
            style={"description_width": "12px"},
            layout=widgets.Layout(flex="1 1 160px", width="auto", min_width="0"),
        )
        self.play = widgets.Play(
            min=0, max=last, value=last // 2, interval=80, tooltip="Play the walk"
        )
        widgets.jslink((self.play, "value"), (self.slider, "index"))
        self.large = large_image(LARGE)
        self.plot = widgets.HTML()
        names = [f"t = {i / (STRIP - 1):g}" for i in range(STRIP)]
        self.strip = Board(names, STRIP, TILE, self.jump)
        self.save_button = button(
            "Save GIF", "Write the walk there and back as an animated picture", self.save, "104px"
        )
        self.saved = widgets.HTML(
            layout=widgets.Layout(flex="1 1 300px", min_height="44px", margin="0")
        )
        self._drawn = None
        self.follow(*self.ends, self.walk)
        self.slider.observe(self.redraw, "index")
        self.update()

        seeds = [in_row(pair) for pair in zip(self.ends, self.renewals, strict=True)]
        side = widgets.VBox(
            [*seeds, self.walk, self.plot],
            layout=widgets.Layout(flex="1 1 270px", max_width="400px", grid_gap="6px"),
        )
        parts = [
            in_row([self.large, side], "12px 24px", "flex-start"),
            in_row([self.play, self.slider]),
            self.strip.ui,
            in_row([self.save_button, self.saved]),
        ]
        return self.stacked(parts, STRIP * (TILE + 4))

    def _renew(self, end):
        def renew():
            self.ends[end].value = max(box.value for box in self.ends) + 1

        return renew

    @property
    def _chosen(self):
        return {"ends": tuple(box.value for box in self.ends), "walk": self.walk.value}

    def update(self):
        """Draw the place where the slider stands; the strip too, if the walk has changed."""
        chosen = self._chosen
        if chosen != self._drawn:
            self.strip.show(self.images(torch.linspace(0, 1, STRIP), **chosen))
            self._drawn = chosen
        t = self.slider.value
        (image,) = self.images([t], **chosen)
        show(self.large, picture_of(image, 2 * LARGE))
        self.plot.value = self.draw_lengths(t, **chosen)
        self.strip.mark({round(t * (STRIP - 1)): "here"})

    def jump(self, index):
        """Go to a picture of the strip."""
        self.slider.index = round(index / (STRIP - 1) * (self.frames - 1))

    def draw_lengths(self, t, *, ends, walk):
        """Draw the length of z along both walks as an SVG picture, with a dot at ``t``."""
        steps = torch.linspace(0, 1, 41)
        curves = {way: self.points(steps, ends=ends, walk=way).norm(dim=1).cpu() for way in WALKS}
        here = self.points([t], ends=ends, walk=walk).norm().item()
        low, high = self.usual
        top = 1.1 * max(high, *(curve.max().item() for curve in curves.values()))
        width, height = 250, 84

        def y(length):
            return height * (1 - length / top)

        lines = "".join(
            '<polyline fill="none" stroke="currentColor" points="{}" {}/>'.format(
                " ".join(f"{width * s:.1f},{y(v):.1f}" for s, v in zip(steps, curve, strict=True)),
                'stroke-width="2"' if way == walk else 'opacity="0.4" stroke-dasharray="3 3"',
            )
            for way, curve in curves.items()
        )
        least = curves[walk].min().item()
        label = (
            f"Length of z along the walk: {here:.2f} at t = {t:.2f}, at least {least:.2f}; "
            f"99 % of samples have {low:.2f} to {high:.2f}."
        )
        return f"""
<svg role="img" aria-label="{label}" viewBox="-6 0 {width + 20} {height}" width="{width + 20}"
 style="max-width: 100%; display: block">
<rect y="{y(high):.1f}" width="{width}" height="{y(low) - y(high):.1f}" fill="#e0a030"
 opacity="0.35"/>{lines}
<line y1="{height - 1}" x2="{width}" y2="{height - 1}" stroke="currentColor" opacity="0.5"/>
<text x="{width + 4}" y="{height - 1}" font-size="11" fill="currentColor">0</text>
<circle cx="{width * t:.1f}" cy="{y(here):.1f}" r="5" fill="#d1495b"/></svg>
<div><b style="font-variant-numeric: tabular-nums">{here:.2f}</b> length of z at t = {t:.2f}</div>
<small>dashed: the other way; shaded: 99 % of samples, {low:.1f} to {high:.1f}</small>"""

    def save(self):
        """Write the walk as a GIF beside those that are there, and offer it for download."""
        self.attempt(self._save)

    def _save(self):
        chosen = self._chosen
        data = self.gif(**chosen)
        folder = paths.given(self.out_dir or ".", "out_dir").resolve()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CourseError(
                f"cannot make the folder {folder}: {paths.reason(error)}. Give another out_dir."
            ) from error
        stem = "walk-{}-{}-{}".format(*chosen["ends"], chosen["walk"])
        path, copy = folder / f"{stem}.gif", 2
        while path.exists():
            path, copy = folder / f"{stem}-{copy}.gif", copy + 1
        write_atomically(path, data)
        source = base64.b64encode(data).decode()
        self.saved.value = (
            '<div style="overflow-wrap: anywhere; line-height: 20px">'
            f'<a download="{path.name}" href="data:image/gif;base64,{source}" '
            'style="text-decoration: underline">Download</a>, or take it from '
            f"<code>{html.escape(str(path))}</code> ({len(data) / 1e6:.1f} MB)</div>"
        )

    def still(self):
        """Draw two walks between the same two samples: straight above, spherical below."""
        t = [i / (SHOWN - 1) for i in range(SHOWN)]
        rows = {walk: self.images(t, ends=(self.seed, self.seed + 1), walk=walk) for walk in WALKS}
        with plt.rc_context(STYLE):
            return draw_rows(rows, heads=[f"t = {part:.2g}" for part in t])
