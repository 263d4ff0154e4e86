"""The map painter: paint a semantic map, and a network draws the scene while you paint."""

from collections.abc import Mapping

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F

from gancourse.errors import CourseError
from gancourse.plotting import STYLE, draw_rows
from gancourse.widgets import dial
from gancourse.widgets.canvas import SIDE, Canvas
from gancourse.widgets.explorer import ask, button, encode, headed, in_row

SHOWN = 3  # maps in the still picture
STYLES = 6  # styles in the still picture, and in a row below the pad


class MapPainter(dial.Styled, Canvas):
    """Paint a map of classes, choose a style, and see the scene with every move of the brush.

    The pad is that of :class:`~gancourse.widgets.Canvas`, the plane that of
    :class:`~gancourse.widgets.StyleDial`: both work with a mouse, a finger, a pen and the keyboard.
    The plane shows the map that was on the pad when it was drawn last; "Plane" draws it anew.

    Parameters
    ----------
    draw : callable
        ``draw(maps, z)`` with maps int64 (n, size, size) and z (n, latent_dim) returns images
        (n, 1 or 3, H, W) in [-1, 1].
    encode : callable
        ``encode(pictures)`` returns the styles, (n, latent_dim), of pictures (n, C, H, W).
    palette : dict of str to (int, int, int)
        The classes of a map, by name, each with its colour on the pad, 0 to 255.
    maps : integer Tensor, (n, size, size)
        Maps to begin with; the first is on the pad at the start, 10 at most are offered.
    pictures : dict of str to Tensor, (C, H, W)
        Pictures whose style can be taken, by name; 12 at most.

    Raises
    ------
    CourseError
        If the palette, the maps, the pictures or what the functions return do not fit.

    Examples
    --------
    >>> g = pretrained("spade-scenes")  # doctest: +SKIP
    >>> MapPainter(
    ...     lambda maps, z: g.sample(map=maps, z=z),
    ...     lambda pictures: g.module.encode(g.gan, pictures),
    ...     dict(zip(SCENE_CLASSES, SCENE_PALETTE.tolist())),
    ...     maps,
    ...     {"summer day": scene},
    ... )  # doctest: +SKIP
    """

    caption_without_kernel = "A still picture. Run this cell to paint."

    def __init__(self, draw, encode, palette, maps, pictures):
        maps = torch.as_tensor(maps).cpu()
        if maps.ndim != 3 or not len(maps) or maps.shape[1] != maps.shape[2]:
            raise CourseError(f"maps must be (n, size, size) with n > 0, not {tuple(maps.shape)}")
        count = len(palette) if isinstance(palette, Mapping) else 0
        if maps.is_floating_point() or not ((maps >= 0) & (maps < count)).all():
            raise CourseError(f"maps must hold numbers of the {count} classes of the palette")
        self.draw = draw
        self.read_styles(encode, pictures)
        super().__init__(draw, palette, size=maps.shape[1])
        step = -(-len(self.names) // STYLES)
        self.shown = [*range(0, len(self.names), step)]  # in the still picture
        self.examples = [one.byte().numpy() for one in maps[: dial.MOST]]
        self.summary = (
            f"{min(SHOWN, len(self.examples))} maps of {', '.join(self.palette)}, each drawn in "
            f"the style of pictures: {', '.join(self.names[i] for i in self.shown)}."
        )

    def answer_to(self, raster, z=None):
        """Return what the network draws for a raster in styles z, by default in the chosen one."""
        z = self.z[None] if z is None else z
        m = torch.from_numpy(np.array(raster))[None].long()  # a copy: that of the pad is read-only
        m = m.clamp_max(len(self.palette) - 1).expand(len(z), -1, -1)
        return ask(self.draw, m, z, signature=("draw", "maps"))

    def images(self, z):
        """Draw the map on the pad in styles z, (n, latent_dim)."""
        return self.answer_to(self._drawn(), z)

    def build(self):
        """Make the pad with its tools, and below it the plane and the pictures."""
        self.make_plane(STYLES)
        whole = super().build()
        again = button("Plane", "Draw the plane with the map on the pad", self.draw_plane, "72px")
        self.draw_plane()
        above = [self.middle, again, self.caption]
        side = widgets.VBox([in_row(above), headed("take a style", self.wardrobe.ui)])
        side.layout = widgets.Layout(flex="1 1 300px", min_width="0")
        plane = headed(
            "style: drag, or use the keys", self.plane, "1 1 180px", f"{SIDE * 3 // 4}px"
        )
        *parts, problem = whole.children
        whole.children = [
            *parts,
            widgets.HTML(
                f"<style>{dial.STYLE_SHEET}</style>", layout=widgets.Layout(display="none")
            ),
            in_row([plane, side], "8px 20px", "stretch"),
            widgets.HTML(f"<small>On the plane: {dial.KEYS}.</small>"),
            problem,
        ]
        return whole

    def draw_plane(self):
        """Draw the plane with the map on the pad; a stroke does not, since it costs 16 pictures."""
        self.plane.picture = encode(self.atlas(), "jpeg")

    def update(self):
        """Draw the map on the pad in the chosen style."""
        super().update()
        self.describe()

    def still(self):
        """Draw the first maps, a row each, in the style of some pictures."""
        pictures = self.pictures[self.shown].expand(-1, 3, -1, -1)
        rows = {"taken from": torch.cat([torch.ones_like(pictures[:1]), pictures])}
        for i, raster in enumerate(self.examples[:SHOWN], 1):
            drawn = self.answer_to(raster, self.styles[self.shown]).expand(-1, 3, -1, -1)
            plan = F.interpolate(self.as_image(raster), drawn.shape[2:], mode="nearest")
            rows[f"map {i}"] = torch.cat([plan, drawn])
        with plt.rc_context(STYLE):
            return draw_rows(rows, heads=["map", *(self.names[i] for i in self.shown)])
