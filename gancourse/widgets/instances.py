"""A scene whose things change their kind when they are clicked, one by one or all at once."""

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
from gancourse.widgets.board import GAP, Board
from gancourse.widgets.explorer import (
    Explorer,
    as_images,
    button,
    encode,
    headed,
    in_row,
    levels,
    picture_of,
)

SIDE, THUMB, MOST = 384, 64, 8  # CSS pixels: the scene, one of the choice; scenes at most
LEAST = 0.11  # of the side: a finger needs a target of at least 44 pixels
STILL = 4  # scenes of the still picture
STYLE_SHEET = """
.gancourse-instances { position: relative; line-height: 0; border-radius: 4px; overflow: hidden; }
.gancourse-instances img { width: 100%; aspect-ratio: 1; image-rendering: pixelated;
  user-select: none; }
.gancourse-instances button { position: absolute; padding: 0; border-radius: 6px; cursor: pointer;
  background: transparent; border: 2px dashed rgba(255, 255, 255, .75);
  outline: 1px solid rgba(43, 45, 51, .5); touch-action: manipulation; }
.gancourse-instances button[aria-pressed="true"] { border: 2px solid #e0a030; }
.gancourse-instances button:hover { background: rgba(255, 255, 255, .2); }
.gancourse-instances button:focus-visible { outline: 3px solid #1b6ca8; outline-offset: 1px; }
"""


class InstanceSwitch(Explorer):
    """Click a thing of a scene, and it becomes one of the other kind; all others should stay.

    Each click translates one instance in the picture as it is now. "Undo" takes the last one back.
    "All, in another order" translates all instances of the scene as it was, handed over in a random
    order, and says by how much the result differs from that of the order before.

    Parameters
    ----------
    translate : callable
        ``translate(images, masks, direction)`` with images (1, C, H, W) in [-1, 1], masks
        (1, K, H, W) of 0 and 1 and direction "AB" or "BA" returns pictures and masks of the same
        shapes; masks in [0, 1], in any order.
    images : Tensor, (n, C, H, W)
        Scenes of domain A, in [-1, 1]; 8 at most are offered.
    masks : Tensor, (n, K, H, W)
        Their instances, 0 or 1; a mask without a pixel is none. Each scene has one or more.
    kinds : pair of str
        What a thing of A and one of B is called.

    Raises
    ------
    CourseError
        If the scenes, the masks or what ``translate`` returns do not fit.

    Examples
    --------
    >>> InstanceSwitch(  # doctest: +SKIP
    ...     partial(instagan.translate, gan), scenes, masks, ("round tree", "fir")
    ... )
    """

    caption_without_kernel = "A still picture. Run this cell to click the trees."

    def __init__(self, translate, images, masks, kinds=("A", "B")):
        self.translate = translate
        self.scenes = as_images(images)[:MOST]
        self.masks = torch.as_tensor(masks).detach().cpu().float()[:MOST]
        wanted = (len(self.scenes), *self.scenes.shape[2:])
        if self.masks.ndim != 4 or (len(self.masks), *self.masks.shape[2:]) != wanted:
            raise CourseError(
                f"masks must be ({wanted[0]}, instances, {wanted[1]}, {wanted[2]}), not "
                f"{tuple(self.masks.shape)}"
            )
        if not self.masks.flatten(1).any(1).all():
            raise CourseError("each scene must have an instance: a mask with a pixel of 1")
        self.kinds = [str(kind) for kind in kinds]
        if len(self.kinds) != 2:
            raise CourseError(f"kinds must be two names, not {self.kinds}")
        self.random = torch.Generator().manual_seed(0)
        self.told = "Click a thing, or reach it with Tab and press Enter."
        self.choose(0)
        self.answer(self.picture, self.found[:1], "AB")  # an error shows before the widget
        self.summary = (
            f"{min(STILL, len(self.scenes))} scenes: as they are, with one {self.kinds[0]} made "
            f"into a {self.kinds[1]}, with all of them, and the difference."
        )

    def answer(self, picture, masks, direction):
        """Translate some instances of one picture; return it and their masks, (K, H, W)."""
        with torch.no_grad():
            y, made = self.translate(picture[None], masks[None], direction)
        y, made = y.detach().cpu().float(), made.detach().cpu().float()
        if y.shape != (1, *picture.shape) or made.shape != (1, *masks.shape):
            raise CourseError(
                f"translate must return a picture {(1, *picture.shape)} and masks "
                f"{(1, *masks.shape)}, not {tuple(y.shape)} and {tuple(made.shape)}"
            )
        return y[0], made[0]

    def choose(self, index):
        """Go to another scene."""
        self.chosen, self.history = index, []
        there = self.masks[index].flatten(1).any(1)
        self.picture, self.found = self.scenes[index], self.masks[index][there]
        self.changed = [False] * len(self.found)
        self.last = None  # of all instances at once
        if self._ui is not None:
            self.shelf.mark({index: "here"})
            self.told = f"Scene {index + 1}: {len(self.found)} to click."
            self.redraw()

    def click(self, index):
        """Give one instance the other kind."""
        began = time.perf_counter()
        direction, mask = ("AB", "BA")[self.changed[index]], self.found[index]
        picture, made = self.answer(self.picture, mask[None], direction)
        self.history.append((self.picture, self.found.clone(), list(self.changed)))
        self.picture = picture
        self.changed[index] = not self.changed[index]
        here, shape = self._name(index), (made[0] > 0.5).float()
        if shape.any():  # otherwise the old mask stays, so that it can be clicked again
            self.found[index] = shape
        took = 1000 * (time.perf_counter() - began)
        outside = torch.maximum(mask, shape) < 0.5
        before = self.history[-1][0]
        moved = levels(picture[:, outside], before[:, outside]) if outside.any() else 0.0
        self.told = (
            f"<b>{html.escape(here)}</b>{'' if shape.any() else ', whose mask has vanished'}; "
            f"outside of it, {moved:.1f} of 255 levels of change; {took:.0f} ms"
        )
        self.redraw()

    def undo(self):
        """Take the last click back."""
        if self.history:
            self.picture, self.found, self.changed = self.history.pop()
            self.told = "The last change is taken back."
        else:
            self.told = "There is nothing to take back."
        self.redraw()

    def shuffle(self):
        """Translate all instances of the scene as it was, in a random order."""
        scene, masks = self.scenes[self.chosen], self.masks[self.chosen]
        masks = masks[masks.flatten(1).any(1)]
        order = torch.randperm(len(masks), generator=self.random)
        picture, _ = self.answer(scene, masks[order], "AB")
        names = ", ".join(str(k + 1) for k in order.tolist())
        self.told = f"All at once, in the order <b>{names}</b>"
        if self.last is not None:
            far = 127.5 * (picture - self.last).abs().max().item()
            self.told += f"; the largest difference from the order before is {far:.5f} of 255"
        self.history.append((self.picture, self.found.clone(), list(self.changed)))
        self.picture, self.last = picture, picture
        made = [self.answer(scene, masks[k : k + 1], "AB")[1][0] > 0.5 for k in range(len(masks))]
        self.found = torch.stack([m.float() if m.any() else masks[k] for k, m in enumerate(made)])
        self.changed = [True] * len(masks)
        self.redraw()

    def _name(self, index):
        return f"{index + 1} is now a {self.kinds[self.changed[index]]}"

    def build(self):
        """Make the scene with its buttons, and the scenes to choose from."""
        self.board = Instances(layout=widgets.Layout(width="100%", margin="0"))
        self.caption = widgets.HTML()
        names = [f"scene {i + 1}" for i in range(len(self.scenes))]
        self.shelf = Board(names, len(names), THUMB, lambda i: self.attempt(lambda: self.choose(i)))
        self.shelf.show(self.scenes)
        self.shelf.mark({self.chosen: "here"})
        self.board.observe(self._pressed, "pressed")
        self.controls = [
            button("Undo", "Take the last click back", self.undo),
            button("Start again", "The scene as it was", lambda: self.choose(self.chosen), "110px"),
            button(
                "All, in another order",
                "Translate all at once, in a random order",
                lambda: self.attempt(self.shuffle),
                "170px",
            ),
        ]
        self.update()
        title = f"click: {html.escape(self.kinds[0])} &harr; {html.escape(self.kinds[1])}"
        parts = [
            widgets.HTML(f"<style>{STYLE_SHEET}</style>", layout=widgets.Layout(display="none")),
            headed(title, self.board, "1 1 240px", f"{SIDE}px"),
            in_row(self.controls),
            self.caption,
            headed("the scenes", self.shelf.ui),
        ]
        return self.stacked(parts, max(SIDE, len(names) * (THUMB + GAP)))

    def _pressed(self, change):
        index = change["new"][1]
        if 0 <= index < len(self.found):
            self.attempt(lambda: self.click(index))

    def update(self):
        """Draw the scene, and put a button over each instance."""
        self.board.picture = encode(picture_of(self.picture, 2 * SIDE), "png")
        self.board.things = [
            {
                "box": _box(mask),
                "changed": changed,
                "label": f"{k + 1}: a {self.kinds[changed]}; make it a {self.kinds[not changed]}",
            }
            for k, (mask, changed) in enumerate(zip(self.found, self.changed, strict=True))
        ]
        self.caption.value = f'<div role="status">{self.told}</div>'

    def still(self):
        """Draw scenes as they are, with one instance changed, and with all."""
        rows = {}
        for i, scene in enumerate(self.scenes[:STILL]):
            masks = self.masks[i][self.masks[i].flatten(1).any(1)]
            one, _ = self.answer(scene, masks[:1], "AB")
            every, _ = self.answer(scene, masks, "AB")
            change = (4 * (every - scene)).clamp(-1, 1)
            row = torch.stack([scene, one, every, change])
            rows[f"scene {i + 1}"] = row.expand(-1, max(3, row.shape[1]), -1, -1)
        heads = ["as it is", "one changed", "all changed", "4 x the change"]
        with plt.rc_context(STYLE):
            return draw_rows(rows, heads=heads)


def _box(mask):
    """Return the box of a mask as shares: left, top, and the distances from right and bottom.

    It is at least LEAST wide and high, and lies within the picture.
    """
    box = []
    for line in (mask.amax(0), mask.amax(1)):  # columns, rows
        at = line.nonzero()[:, 0]
        low, high = at[0].item() / len(line), (at[-1].item() + 1) / len(line)
        room = max(0.0, LEAST - (high - low)) / 2
        low, high = low - room, high + room
        shift = max(0.0, -low) - max(0.0, high - 1)
        box.append((max(0.0, low + shift), max(0.0, 1 - high - shift)))
    (left, right), (top, bottom) = box
    return [left, top, right, bottom]


class Instances(anywidget.AnyWidget):
    """A picture with a button over each thing, in the browser.

    Attributes
    ----------
    picture : bytes
        A PNG.
    things : list of dict
        ``box``: distances from left, top, right and bottom, as shares; ``label``; ``changed``.
    pressed : pair of int
        How often a button was pressed, and which one the last time.
    """

    _esm = Path(__file__).with_name("instances.js")

    picture = CByteMemoryView(b"").tag(sync=True)
    things = traitlets.List(traitlets.Dict()).tag(sync=True)
    pressed = traitlets.Tuple(traitlets.Int(), traitlets.Int(), default_value=(0, -1)).tag(
        sync=True
    )
