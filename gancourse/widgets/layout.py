"""The layout editor: boxes that are dragged and relabelled, and the picture drawn from them."""

import html
import time
from pathlib import Path

import anywidget
import ipywidgets as widgets
import matplotlib.pyplot as plt
import torch
import traitlets
from ipywidgets.widgets.trait_types import CByteMemoryView

from gancourse.errors import CourseError
from gancourse.plotting import STYLE, draw_rows
from gancourse.plotting.layouts import COLOURS, blend_masks, draw_layouts
from gancourse.widgets.board import Board
from gancourse.widgets.explorer import (
    Explorer,
    ask,
    button,
    encode,
    headed,
    in_row,
    picture_of,
    show,
)

SIDE = 320  # CSS pixels, of the layout and of the picture; the picture is drawn with twice as many
THUMB, MOST = 64, 8  # CSS pixels; layouts to begin with, at most
FRESH = (0.375, 0.375, 0.625, 0.625)  # the box of a new object
EMPTY = (-1.0,) * 4
KEYS = (
    "Space chooses the next box, arrows move it, Shift + arrows resize it, Ctrl + arrows go far, "
    "Delete removes it"
)
STYLE_SHEET = """
.gancourse-layout { position: relative; overflow: hidden; line-height: 0; border-radius: 4px;
  touch-action: none; background: #f4f4f4; }
.gancourse-layout img { width: 100%; aspect-ratio: 1; user-select: none; }
.gancourse-layout:focus-visible { outline-offset: -2px; }
.gancourse-box { position: absolute; user-select: none; box-sizing: border-box;
  border: 2px solid var(--kind);
  box-shadow: 0 0 0 1px #fff8; cursor: move; }
.gancourse-box[hidden] { display: none; }
.gancourse-box span { position: absolute; left: 0; bottom: 100%; font: 11px/14px sans-serif;
  padding: 0 3px; color: #fff; background: var(--kind); text-shadow: 0 0 2px #000;
  white-space: nowrap; pointer-events: none; }
.gancourse-corner { position: absolute; right: -7px; bottom: -7px; width: 16px; height: 16px;
  border-radius: 50%; cursor: nwse-resize; }
.gancourse-chosen { z-index: 1; box-shadow: 0 0 0 2px #2b2d33; }
.gancourse-chosen .gancourse-corner { background: #2b2d33; border: 2px solid #fff;
  box-sizing: border-box; }
.gancourse-drawn { width: 100% !important; aspect-ratio: 1; object-fit: contain; }
.gancourse-kinds .widget-toggle-button { width: auto; padding: 0 8px; margin: 0 4px 4px 0; }
.gancourse-kinds .widget-toggle-buttons { flex-wrap: wrap; }
"""


class LayoutEditor(Explorer):
    """Drag, resize and relabel boxes, and see the picture that a generator draws from them.

    Each object has noise of its own: "another style" draws it anew for one object, or for the
    picture as a whole. The masks that the generator has learned are shown under the boxes.

    The layout can be used with a mouse, a finger or a pen; and with the keyboard, once it has been
    reached with Tab.

    Parameters
    ----------
    sample : callable
        ``sample(boxes, kinds, z)`` returns images (n, 1 or 3, H, W) in [-1, 1]; boxes (n, S, 4)
        and kinds (n, S) are fields of layouts, z is (n, z_sizes[0] + S * z_sizes[1]).
    masks : callable
        ``masks(boxes, kinds, z)`` returns the objects' masks, (n, S, H, W) in [0, 1].
    z_sizes : (int, int)
        Numbers in z for the picture, which come first, and for each slot.
    boxes, kinds : Tensor, (n, S, 4) and (n, S)
        Layouts to begin with; 8 at most are offered.
    names : sequence of str
        Names of the kinds, from kind 1 on.
    scene : int
        Seed of the picture's noise to begin with.

    Raises
    ------
    CourseError
        If the layouts, the names or what the functions return do not fit.

    Examples
    --------
    >>> g = pretrained("lostgan-scenes")  # doctest: +SKIP
    >>> LayoutEditor(
    ...     lambda boxes, kinds, z: g.sample(boxes=boxes, kinds=kinds, z=z),
    ...     lambda boxes, kinds, z: g.module.masks(g.gan, boxes, kinds, z),
    ...     (g.cfg.z_image, g.cfg.z_object), boxes, kinds, toons.SCENE_KINDS,
    ... )  # doctest: +SKIP
    """

    caption_without_kernel = "A still picture. Run this cell to move the boxes."

    def __init__(self, sample, masks, z_sizes, boxes, kinds, names, scene=0):
        self.sample, self.learned, self.z_sizes = sample, masks, tuple(z_sizes)
        self.names, self.scene = [str(name) for name in names], scene
        boxes, kinds = torch.as_tensor(boxes).float().cpu(), torch.as_tensor(kinds).long().cpu()
        fits = boxes.ndim == 3 and len(boxes) and (*kinds.shape, 4) == tuple(boxes.shape)
        if not fits or not self.names or not 0 <= kinds.min() <= kinds.max() <= len(self.names):
            raise CourseError(
                "expected boxes (n, S, 4) and kinds (n, S), from 0 to the number of names, found "
                f"{tuple(boxes.shape)}, {tuple(kinds.shape)} and {len(self.names)} names"
            )
        self.layouts = boxes[:MOST], kinds[:MOST]
        self.slots = kinds.shape[1]
        self._take(0)
        self.images(*self._now())  # errors come early
        self.masks_of(*self._now())
        self.summary = (
            f"Layouts ({min(6, len(boxes))}), the masks that G learned for their objects, the "
            "pictures that it draws from them, and the same with the first object in another style."
        )

    def _take(self, index):
        """Begin with one of the layouts, the first scene, and the noise of seed 0 for objects."""
        boxes, kinds = (values[index].clone() for values in self.layouts)
        empty = (kinds == 0) | (boxes[:, 0] < 0)
        boxes[empty], kinds[empty] = -1.0, 0
        self.boxes, self.kinds = boxes.tolist(), kinds.tolist()
        self.seeds = [self.scene] + [0] * self.slots  # of the picture, and of each slot
        self.chosen = next((s for s, kind in enumerate(self.kinds) if kind), 0)

    def z(self):
        """Return the noise, (1, z_sizes[0] + S * z_sizes[1]): each part from a seed of its own."""
        parts = []
        for place, seed in enumerate(self.seeds):
            generator = torch.Generator().manual_seed(1_000 * seed + place)
            parts.append(torch.randn(self.z_sizes[place > 0], generator=generator))
        return torch.cat(parts)[None]

    def _now(self):
        return torch.tensor([self.boxes]), torch.tensor([self.kinds]), self.z()

    def images(self, boxes, kinds, z):
        """Let the generator draw pictures, (n, 1 or 3, H, W)."""
        names = "sample", "boxes, kinds, z"
        return ask(lambda z: self.sample(boxes, kinds, z), z, signature=names)

    def masks_of(self, boxes, kinds, z):
        """Return the learned masks, (n, S, H, W)."""
        found = torch.as_tensor(self.learned(boxes, kinds, z)).detach().float().cpu()
        if found.ndim != 4 or tuple(found.shape[:2]) != tuple(kinds.shape):
            raise CourseError(
                f"masks(boxes, kinds, z) must return {tuple(kinds.shape)} masks, (n, S, H, W), not "
                f"{tuple(found.shape)}"
            )
        return found

    def build(self):
        """Make the layout, the picture, and the controls."""
        self.pad = Layout(label="", layout=widgets.Layout(width="100%", margin="0"))
        self.image = widgets.Image(layout=widgets.Layout(margin="0"))
        self.image.add_class("gancourse-drawn")
        self.kind = widgets.ToggleButtons(
            options=self.names,
            tooltips=[f"Make the chosen object a {name}" for name in self.names],
            style={"button_width": "auto"},
        )
        self.style = button(
            "Another style", "New noise for the chosen object", self.restyle, "110px"
        )
        self.whole = button(
            "Another scene", "New noise for the picture as a whole", self.rescene, "116px"
        )
        self.add = button("Add", "A new object of the chosen kind", self.put_new, "64px")
        self.remove = button("Remove", "Take the chosen object away", self.take_away, "80px")
        self.show_masks = widgets.ToggleButton(
            value=True,
            description="Masks",
            tooltip="Show the learned masks under the boxes",
            layout=widgets.Layout(width="76px"),
        )
        count = len(self.layouts[0])
        titles = [f"Begin with layout {i + 1}" for i in range(count)]
        self.shelf = Board(titles, count, THUMB, self.load)
        self.shelf.show(draw_layouts(*self.layouts, 64))
        self.shelf.mark({0: "here"})
        self.caption = widgets.HTML()
        self._put()
        self.pad.observe(self._moved, "boxes")
        self.pad.observe(self._chose, "chosen")
        self.kind.observe(self._renamed, "index")
        self.follow(self.show_masks)
        self.update()

        pads = [("the layout: drag boxes", self.pad), ("the picture", self.image)]
        tools = [self.style, self.whole, self.add, self.remove, self.show_masks]
        parts = [
            widgets.HTML(f"<style>{STYLE_SHEET}</style>", layout=widgets.Layout(display="none")),
            in_row([headed(*pad, "1 1 220px", f"{SIDE}px") for pad in pads], "8px 20px", "stretch"),
            in_row([self.kind]).add_class("gancourse-kinds"),
            in_row(tools),
            self.caption,
            headed("begin with a layout", self.shelf.ui),
            widgets.HTML(f"<small>With the keyboard: Tab to the layout, then {KEYS}.</small>"),
        ]
        return self.stacked(parts, 2 * SIDE + 20)

    def _put(self):
        """Hand the layout to the browser, without drawing."""
        before, self._together = self._together, True
        try:
            names = ["" if kind == 0 else self.names[kind - 1] for kind in self.kinds]
            self.pad.colours = [_css(kind) for kind in self.kinds]
            self.pad.names, self.pad.chosen = names, self.chosen
            self.pad.boxes = [list(box) for box in self.boxes]  # a copy: its changes are seen
            if self.kinds[self.chosen]:
                self.kind.index = self.kinds[self.chosen] - 1
        finally:
            self._together = before

    def _moved(self, _):
        if not self._together:
            self.boxes = [list(map(float, box)) for box in self.pad.boxes]
            gone = [s for s, box in enumerate(self.boxes) if box[0] < 0 and self.kinds[s]]
            for slot in gone:
                self.kinds[slot] = 0
            if gone:
                self._choose_another()
            self.redraw()

    def _chose(self, _):
        if not self._together and 0 <= self.pad.chosen < self.slots:
            self.chosen = self.pad.chosen
            self._put()
            self._tell()

    def _renamed(self, _):
        if not self._together and self.kinds[self.chosen]:
            self.kinds[self.chosen] = self.kind.index + 1
            self._put()
            self.redraw()

    def _choose_another(self):
        self.chosen = next((s for s, kind in enumerate(self.kinds) if kind), 0)
        self._put()

    def restyle(self):
        """Draw new noise for the chosen object."""
        self.seeds[self.chosen + 1] += 1
        self.redraw()

    def rescene(self):
        """Draw new noise for the picture as a whole."""
        self.seeds[0] += 1
        self.redraw()

    def put_new(self):
        """Put an object of the chosen kind into the first empty slot, if there is one."""
        if 0 in self.kinds:
            slot = self.kinds.index(0)
            self.boxes[slot], self.kinds[slot] = list(FRESH), self.kind.index + 1
            self.chosen = slot
            self._put()
            self.redraw()

    def take_away(self):
        """Remove the chosen object."""
        self.boxes[self.chosen], self.kinds[self.chosen] = list(EMPTY), 0
        self._choose_another()
        self.redraw()

    def load(self, index):
        """Begin again with one of the layouts."""
        self._take(index)
        self.shelf.mark({index: "here"})
        self._put()
        self.redraw()

    def update(self):
        """Draw the picture, and the masks under the boxes."""
        start = time.perf_counter()
        boxes, kinds, z = self._now()
        show(self.image, picture_of(self.images(boxes, kinds, z)[0], 2 * SIDE))
        below = b""
        if self.show_masks.value:
            masks = blend_masks(self.masks_of(boxes, kinds, z), kinds)
            below = encode(picture_of(masks[0], SIDE), "png")
        self.pad.picture = below
        self.took = 1000 * (time.perf_counter() - start)
        self._tell()

    def _tell(self):
        count = sum(kind > 0 for kind in self.kinds)
        kind = self.kinds[self.chosen]
        what = f"the {self.names[kind - 1]}" if kind else "nothing"
        self.caption.value = (
            f'<div role="status">{count} of {self.slots} objects; chosen: '
            f"<b>{html.escape(what)}</b> <small>(answered in {self.took:.0f} ms)</small></div>"
        )
        self.pad.label = f"Layout of {count} objects, chosen: {what}; {KEYS}"

    def still(self):
        """Draw the first layouts, their masks and pictures, and another style of one object."""
        boxes, kinds = (values[:6] for values in self.layouts)
        z = self.z().expand(len(boxes), -1).clone()
        other = z.clone()
        own = slice(self.z_sizes[0], sum(self.z_sizes))
        other[:, own] = torch.randn(self.z_sizes[1], generator=torch.Generator().manual_seed(7))
        made = self.images(boxes, kinds, z)
        shape = (-1, 3, -1, -1)
        rows = {
            "layout": draw_layouts(boxes, kinds, made.shape[-1]),
            "learned masks": blend_masks(self.masks_of(boxes, kinds, z), kinds),
            "picture": made.expand(*shape),
            "first object in another style": self.images(boxes, kinds, other).expand(*shape),
        }
        with plt.rc_context(STYLE):
            return draw_rows(rows)


def _css(kind):
    return "rgb({}, {}, {})".format(*COLOURS[(kind - 1) % len(COLOURS)]) if kind else "#888"


class Layout(anywidget.AnyWidget):
    """Boxes on a square, in the browser.

    Attributes
    ----------
    boxes : list of [left, top, right, bottom]
        A box for each slot, in fractions of the side; all -1 for an empty slot.
    names, colours : list of str
        What stands beside each box, and its colour in CSS.
    chosen : int
        The slot that the keys move.
    picture : bytes
        A PNG under the boxes, or nothing.
    label : str
        Name of the layout, for screen readers.
    """

    _esm = Path(__file__).with_name("layout.js")

    boxes = traitlets.List().tag(sync=True, echo_update=False)
    names = traitlets.List().tag(sync=True)
    colours = traitlets.List().tag(sync=True)
    chosen = traitlets.Int(0).tag(sync=True)
    picture = CByteMemoryView(b"").tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
