"""The style dial: one input, a style for its output, chosen on a plane or taken from a picture."""

import html
from pathlib import Path

import anywidget
import ipywidgets as widgets
import matplotlib.pyplot as plt
import torch
import traitlets
from ipywidgets.widgets.trait_types import CByteMemoryView
from PIL import Image

from gancourse.errors import CourseError
from gancourse.plotting import STYLE, draw_rows
from gancourse.widgets.board import GAP, Board
from gancourse.widgets.explorer import (
    Explorer,
    as_images,
    ask,
    button,
    encode,
    headed,
    in_row,
    picture_of,
    show,
)

SIDE = 320  # CSS pixels, of the plane and of the output; drawn with twice as many
REACH = 2.5  # the plane goes from -REACH to REACH or further, in standard deviations of z
CELLS = 4  # outputs on the plane, across and down
THUMB, MOST, INPUTS = 48, 12, 6  # CSS pixels; styles to take and inputs, at most
KEYS = "arrows move, Shift + arrows move far, Home goes to the middle"
STYLE_SHEET = """
.gancourse-dial { position: relative; overflow: hidden; line-height: 0; border-radius: 4px;
  cursor: crosshair; touch-action: none; }
.gancourse-dial img { width: 100%; aspect-ratio: 1; user-select: none; }
.gancourse-dial:focus-visible { outline-offset: -2px; }
.gancourse-dial .gancourse-ring { position: absolute; width: 22px; height: 22px;
  border-radius: 50%; transform: translate(-50%, -50%); pointer-events: none;
  box-shadow: 0 0 0 2px #fff, inset 0 0 0 2px #2b2d33, 0 0 0 4px #2b2d33; }
.gancourse-styled { width: 100% !important; aspect-ratio: 1; object-fit: contain; }
"""


class Styled(Explorer):
    """What explorers share that have a plane of styles, and pictures whose style can be taken.

    A subclass calls :meth:`read_styles` first, defines ``images(z)``, which draws in styles z,
    (n, latent_dim), and puts ``plane``, ``wardrobe``, ``middle`` and ``caption`` on the page, which
    :meth:`make_plane` makes.
    """

    def read_styles(self, encode, pictures):
        """Read the styles of pictures, find the plane's directions, and take the first style.

        Raises
        ------
        CourseError
            If there are no pictures, or what ``encode`` returns does not fit.
        """
        self.names = [str(name) for name in pictures][:MOST]
        if not self.names:
            raise CourseError("pictures must hold one picture or more, by name")
        self.pictures = as_images(torch.stack([*pictures.values()][:MOST]), "pictures")
        self.styles = torch.as_tensor(encode(self.pictures)).detach().float().cpu()
        shape = tuple(self.styles.shape)
        if len(shape) != 2 or shape[0] != len(self.names) or not self.styles.isfinite().all():
            raise CourseError(
                f"encode(pictures) must return finite styles ({len(self.names)}, latent_dim), not "
                f"{shape}"
            )
        self.axes = main_axes(self.styles)  # (2 or 1, latent_dim)
        # Far enough for each style that can be taken.
        self.reach = max(REACH, 1.05 * (self.styles @ self.axes.T).abs().max().item())
        self.rest = torch.zeros(shape[1])
        self.at = torch.zeros(len(self.axes))
        self.take(0)

    @property
    def z(self):
        """The style at the dial's place, (latent_dim,)."""
        return self.rest + self.at @ self.axes

    def take(self, index):
        """Take the style of a picture: the dial's place, and what the plane does not show."""
        z = self.styles[index]
        self.at = (self.axes @ z).clamp(-self.reach, self.reach)
        self.rest = z - (self.axes @ z) @ self.axes
        if self._ui is not None:
            with self.together():
                self._put()

    def nearest(self):
        """Return the name of the picture whose style is nearest to z, and the distance."""
        far = (self.styles - self.z).norm(dim=1)
        return self.names[far.argmin()], far.min().item()

    def make_plane(self, columns=MOST):
        """Make the plane with its ring, the pictures in so many columns, and the caption."""
        self.plane = Dial(label="", layout=widgets.Layout(width="100%", margin="0"))
        self.caption = widgets.HTML()
        titles = [f"take the style: {name}" for name in self.names]
        self.wardrobe = Board(titles, min(columns, len(titles)), THUMB, self.take)
        self.wardrobe.show(self.pictures)
        self.middle = button("Middle", "Go to z = 0", self.put_back, "72px")
        self._put()
        self.plane.observe(self._moved, "place")

    def put_back(self):
        """Go to z = 0."""
        self.at, self.rest = torch.zeros_like(self.at), torch.zeros_like(self.rest)
        with self.together():
            self._put()

    def _put(self):
        """Move the ring to where the style is."""
        x, y = [*self.at.tolist(), 0.0][:2]
        self.plane.place = (0.5 + x / self.reach / 2, 0.5 - y / self.reach / 2)

    def _moved(self, _):
        if not self._together:
            x, y = self.plane.place
            self.at = torch.tensor([2 * x - 1, 1 - 2 * y])[: len(self.at)] * self.reach
            self.redraw()

    def describe(self):
        """Say in the caption, and to screen readers, where the ring is."""
        name, far = self.nearest()
        self.caption.value = (
            f'<div role="status">|z| = {self.z.norm():.2f}; the nearest of the styles below is '
            f"<b>{html.escape(name)}</b>, {far:.2f} away</div>"
        )
        self.plane.label = (
            f"Plane of styles, here |z| = {self.z.norm():.2f}, nearest to {name}; {KEYS}"
        )

    def atlas(self):
        """Draw the outputs at CELLS x CELLS places of the plane, without gaps."""
        middle = ((torch.arange(CELLS) + 0.5) / CELLS * 2 - 1) * self.reach
        y, x = torch.meshgrid(-middle, middle, indexing="ij")
        at = torch.stack([x, y], -1).flatten(0, 1)[:, : len(self.at)]
        side = 2 * SIDE // CELLS
        sheet = Image.new("RGB", (CELLS * side, CELLS * side))
        for i, image in enumerate(self.images(self.rest + at @ self.axes)):
            sheet.paste(picture_of(image, side), (i % CELLS * side, i // CELLS * side))
        return sheet


class StyleDial(Styled):
    """Choose a style z on a plane, or take that of another picture, and see an input in it.

    The plane shows outputs of the chosen input at some places of it. Its two directions are those
    in which the styles of the pictures differ most; with a z of two numbers, it is all there is.
    What z has besides is that of the picture whose style was taken last.

    The plane can be used with a mouse, a finger or a pen; and with the keyboard, once it has been
    reached with Tab.

    Parameters
    ----------
    translate : Module or callable
        ``translate(images, z)`` with images (n, C, H, W) and z (n, latent_dim) returns images
        (n, 1 or 3, H, W), all in [-1, 1].
    encode : callable
        ``encode(pictures)`` returns the styles, (n, latent_dim), of pictures (n, C, H, W).
    inputs : Tensor, (n, C, H, W)
        Of which one is translated; 6 at most are offered.
    pictures : dict of str to Tensor, (C, H, W)
        Pictures whose style can be taken, by name; 12 at most.

    Raises
    ------
    CourseError
        If the inputs, the pictures or what the functions return do not fit.

    Examples
    --------
    >>> g = pretrained("bicycle-scenes")  # doctest: +SKIP
    >>> StyleDial(
    ...     lambda images, z: g.sample(input=images, z=z),
    ...     lambda pictures: g.module.encode(g.gan, pictures),
    ...     maps,
    ...     {"summer day": scene},
    ... )  # doctest: +SKIP
    """

    caption_without_kernel = "A still picture. Run this cell to turn the dial."

    def __init__(self, translate, encode, inputs, pictures):
        self.translate = translate
        self.inputs = as_images(inputs, "inputs")[:INPUTS]
        self.chosen = 0
        self.read_styles(encode, pictures)
        self.images(self.z[None])  # an error shows before the widget
        self.summary = (
            f"{min(3, len(self.inputs))} inputs, each in the style of {len(self.names)} pictures: "
            f"{', '.join(self.names)}."
        )

    def images(self, z, index=None):
        """Translate the chosen input, or another one, in styles z, (n, latent_dim)."""
        x = self.inputs[self.chosen if index is None else index]
        pair = x.expand(len(z), -1, -1, -1), z
        return ask(self.translate, *pair, signature=("translate", "images"))

    def build(self):
        """Make the plane, the output, the inputs and the pictures."""
        self.make_plane()
        self.image = widgets.Image(layout=widgets.Layout(margin="0"))
        self.image.add_class("gancourse-styled")
        labels = [f"input {i + 1}" for i in range(len(self.inputs))]
        self.shelf = Board(labels, len(labels), THUMB, self.choose)
        self.shelf.show(self.inputs)
        self.shelf.mark({0: "here"})
        self._shown = None
        self.update()

        pads = [("style: drag, or use the keys", self.plane), ("the output", self.image)]
        shelves = [
            (self.shelf, "the input"),
            (self.wardrobe, "take the style of a picture"),
        ]
        parts = [
            widgets.HTML(f"<style>{STYLE_SHEET}</style>", layout=widgets.Layout(display="none")),
            in_row([headed(*pad, "1 1 220px", f"{SIDE}px") for pad in pads], "8px 20px", "stretch"),
            in_row([self.middle, self.caption]),
            *(headed(title, shelf.ui) for shelf, title in shelves),
            widgets.HTML(f"<small>With the keyboard: Tab to the plane, then {KEYS}.</small>"),
        ]
        return self.stacked(parts, max(2 * SIDE + 20, len(self.names) * (THUMB + GAP)))

    def choose(self, index):
        """Translate another input."""
        self.chosen = index
        self.shelf.mark({index: "here"})
        self.redraw()

    def update(self):
        """Draw the output; and the plane, if the input or the rest of z is another."""
        show(self.image, picture_of(self.images(self.z[None])[0], 2 * SIDE))
        self.describe()
        scene = self.chosen, *self.rest.tolist()
        if scene != self._shown:
            self._shown = scene
            self.plane.picture = encode(self.atlas(), "jpeg")

    def still(self):
        """Draw the first inputs, a row each, in the style of every picture."""
        heads = ["input", *self.names[:6]]
        rows = {"taken from": [self.inputs.new_zeros(3, *self.inputs.shape[2:]) + 1]}
        rows["taken from"] += [*self.pictures[:6]]
        for i, x in enumerate(self.inputs[:3]):
            made = self.images(self.styles[:6], i)
            rows[f"input {i + 1}"] = [x, *made]
        shape = max(self.pictures.shape[1], self.inputs.shape[1])
        rows = {
            name: torch.stack([image.expand(max(3, shape), -1, -1) for image in images])
            for name, images in rows.items()
        }
        with plt.rc_context(STYLE):
            return draw_rows(rows, heads=heads)


def main_axes(styles):
    """Return the directions in which styles differ most, (2, latent_dim), or (1, 1).

    Of two numbers, they are the numbers themselves. Otherwise they are the right singular vectors
    of the styles, (n, latent_dim), minus their mean; the largest number of each is positive.
    """
    if styles.shape[1] <= 2:
        return torch.eye(styles.shape[1])
    spread = torch.cat([styles - styles.mean(0), torch.zeros(2, styles.shape[1])])
    axes = torch.linalg.svd(spread, full_matrices=False).Vh[:2]
    return axes * axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()


class Dial(anywidget.AnyWidget):
    """A picture with a ring that can be moved, in the browser.

    Attributes
    ----------
    picture : bytes
        A JPEG.
    place : pair of float
        Where the ring is: fractions of the width and of the height.
    label : str
        Name of the dial, for screen readers.
    """

    _esm = Path(__file__).with_name("dial.js")

    picture = CByteMemoryView(b"").tag(sync=True)
    place = traitlets.Tuple(traitlets.Float(), traitlets.Float(), default_value=(0.5, 0.5)).tag(
        sync=True
    )
    label = traitlets.Unicode().tag(sync=True)
