"""The layout editor draws what its boxes say, and each object from noise of its own."""

import io
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from gancourse.errors import CourseError
from gancourse.gans import lostgan
from gancourse.plotting.layouts import colours_of
from gancourse.training import runtime
from gancourse.widgets import LayoutEditor, layout

NAMES = ("sun", "house", "tree")
BOXES = torch.tensor(
    [
        [[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0], [-1, -1, -1, -1]],
        [[0.25, 0.25, 0.75, 0.75], [-1, -1, -1, -1], [-1, -1, -1, -1]],
    ]
)
KINDS = torch.tensor([[1, 2, 0], [3, 0, 0]])
SIZES = (2, 3)


def learned(boxes, kinds, z):
    return lostgan.paste(torch.ones(*kinds.shape, 4, 4), boxes, 8) * (kinds > 0)[..., None, None]


def painted(boxes, kinds, z):
    """Grey from the picture's noise; each object has its kind in red and its noise in green."""
    ground, own = z[:, :2].mean(1), z[:, 2:].unflatten(1, (3, 3)).mean(2)
    masks = learned(boxes, kinds, z)
    picture = (ground.view(-1, 1, 1, 1).tanh() / 2).expand(-1, 3, 8, 8).clone()
    for s in range(3):
        colour = torch.stack([kinds[:, s] / 3 - 0.5, own[:, s].tanh(), own[:, s] * 0], 1)
        picture = torch.where(masks[:, s, None] > 0, colour[..., None, None], picture)
    return picture


def live(**options):
    given = {"sample": painted, "masks": learned, "z_sizes": SIZES, "boxes": BOXES}
    tool = LayoutEditor(**given | {"kinds": KINDS, "names": NAMES} | options)
    tool.ui  # noqa: B018 - makes the widget
    return tool


def pixel(tool, x, y):
    """The colour at a place of the picture, in [-1, 1]."""
    picture = np.asarray(Image.open(io.BytesIO(tool.image.value)))
    side = len(picture)
    return picture[int(y * side), int(x * side)] / 127.5 - 1


def test_a_box_that_is_moved_takes_its_object_along():
    tool = live()
    before, ground = pixel(tool, 0.2, 0.2), pixel(tool, 0.8, 0.2)
    boxes = [[0.5, 0.0, 1.0, 0.5], *tool.boxes[1:]]
    tool.pad.boxes = boxes
    assert pixel(tool, 0.8, 0.2) == pytest.approx(before, abs=0.01)
    assert pixel(tool, 0.2, 0.2) == pytest.approx(ground, abs=0.01)
    assert tool.problem.value == ""


def test_another_style_changes_the_chosen_object_alone():
    tool = live()
    tool.pad.chosen = 1
    before = pixel(tool, 0.2, 0.2), pixel(tool, 0.8, 0.8), pixel(tool, 0.8, 0.2)
    tool.style.click()
    after = pixel(tool, 0.2, 0.2), pixel(tool, 0.8, 0.8), pixel(tool, 0.8, 0.2)
    assert after[0] == pytest.approx(before[0]) and after[2] == pytest.approx(before[2])
    assert abs(after[1] - before[1]).max() > 0.02
    tool.whole.click()
    assert pixel(tool, 0.8, 0.8) == pytest.approx(after[1])
    assert abs(pixel(tool, 0.8, 0.2) - after[2]).max() > 0.02


def test_the_chosen_object_gets_another_kind():
    tool = live()
    red = pixel(tool, 0.2, 0.2)[0]
    tool.kind.index = 2
    assert tool.kinds == [3, 2, 0] and tool.pad.names[0] == "tree"
    assert pixel(tool, 0.2, 0.2)[0] > red + 0.3
    tool.pad.chosen = 1
    assert tool.kind.index == 1 and tool.kinds == [3, 2, 0]  # choosing relabels nothing
    assert "house" in tool.caption.value


def test_objects_come_and_go():
    tool = live()
    tool.add.click()
    assert tool.kinds == [1, 2, 1] and tool.chosen == 2 and tool.boxes[2] == list(layout.FRESH)
    tool.add.click()  # no slot is left
    assert tool.kinds == [1, 2, 1]
    tool.remove.click()
    assert tool.kinds == [1, 2, 0] and tool.boxes[2][0] == -1 and tool.chosen == 0
    tool.pad.boxes = [list(layout.EMPTY), *tool.boxes[1:]]  # as the key Delete does
    assert tool.kinds == [0, 2, 0] and tool.chosen == 1
    for _ in range(2):
        tool.remove.click()
    assert tool.kinds == [0, 0, 0] and tool.problem.value == "" and "nothing" in tool.caption.value


def test_the_browser_hears_of_every_box_that_the_kernel_changes():
    tool, heard = live(), []
    tool.pad.observe(lambda change: heard.append(change.new), "boxes")
    tool.remove.click()
    tool.add.click()
    tool.shelf.cells[1].click()
    wanted = [list(layout.EMPTY), list(layout.FRESH), [0.25, 0.25, 0.75, 0.75]]
    assert [boxes[0] for boxes in heard] == wanted


def test_another_layout_begins_anew():
    tool = live()
    tool.style.click()
    tool.shelf.cells[1].click()
    assert tool.kinds == [3, 0, 0] and tool.pad.boxes[0] == [0.25, 0.25, 0.75, 0.75]
    assert tool.seeds == [0, 0, 0, 0]
    tool.shelf.cells[0].click()
    assert tool.kinds == [1, 2, 0]


def test_the_first_scene_can_be_chosen_and_another_layout_begins_with_it():
    plain, tool = live(), live(scene=6)
    assert tool.seeds == [6, 0, 0, 0]
    size = tool.z_sizes[0]
    assert not torch.equal(tool.z()[:, :size], plain.z()[:, :size])
    assert torch.equal(tool.z()[:, size:], plain.z()[:, size:])
    tool.whole.click()
    assert tool.seeds[0] == 7
    tool.shelf.cells[1].click()
    assert tool.seeds == [6, 0, 0, 0]


def test_the_masks_can_be_hidden():
    tool = live()
    shown = np.asarray(Image.open(io.BytesIO(bytes(tool.pad.picture))))
    wanted = ((colours_of(torch.tensor(1)) + 1) * 127.5).round().int().tolist()
    assert shown[20, 20].tolist() == wanted
    tool.show_masks.value = False
    assert bytes(tool.pad.picture) == b""


def test_a_move_draws_one_picture():
    asked = []

    def counted(boxes, kinds, z):
        asked.append(len(z))
        return painted(boxes, kinds, z)

    tool = live(sample=counted)
    asked.clear()
    tool.pad.boxes = [[0.1, 0.1, 0.6, 0.6], *tool.boxes[1:]]
    assert asked == [1]


def test_the_generator_of_the_lesson_answers_in_time():
    cfg = lostgan.PRESETS["laptop"]
    gan = lostgan.build(cfg, runtime.start("cpu", 0))
    boxes, kinds = torch.full((1, 8, 4), -1.0), torch.zeros(1, 8, dtype=torch.int64)
    boxes[0, 0], kinds[0, 0] = torch.tensor([0.1, 0.1, 0.5, 0.5]), 3
    tool = LayoutEditor(
        lambda boxes, kinds, z: lostgan.sample(gan, boxes=boxes, kinds=kinds, z=z),
        lambda boxes, kinds, z: lostgan.masks(gan, boxes, kinds, z),
        (cfg.z_image, cfg.z_object),
        boxes,
        kinds,
        [f"kind {k}" for k in range(1, 9)],
    )
    tool.ui  # noqa: B018 - makes the widget
    start = time.perf_counter()
    tool.pad.boxes = [[0.3, 0.1, 0.7, 0.5], *tool.boxes[1:]]
    assert tool.problem.value == "" and "objects" in tool.caption.value
    print(f"{1000 * (time.perf_counter() - start):.0f} ms")  # no test depends on the time


def test_the_still_picture_has_a_row_for_each_step():
    figure = LayoutEditor(painted, learned, SIZES, BOXES, KINDS, NAMES).still()
    words = {text.get_text() for ax in figure.axes for text in (*ax.texts, ax.title)}
    words |= {text.get_text() for text in figure.texts}
    words |= {label.get_text() for ax in figure.axes for label in (ax.xaxis.label, ax.yaxis.label)}
    assert {"layout", "learned masks", "picture"} <= words
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    "change",
    [
        {"boxes": BOXES[:, :2]},
        {"boxes": BOXES[:0], "kinds": KINDS[:0]},
        {"names": NAMES[:2]},
        {"sample": lambda boxes, kinds, z: z},
        {"masks": lambda boxes, kinds, z: z},
    ],
)
def test_what_does_not_fit_is_refused(change):
    with pytest.raises(CourseError):
        live(**change)


def test_the_layout_can_be_reached_with_the_keyboard_and_dragged():
    source = Path(layout.__file__).with_name("layout.js").read_text(encoding="utf-8")
    wanted = ("tabIndex = 0", "ArrowLeft", "pointermove", "setPointerCapture", "shiftKey")
    assert all(name in source for name in wanted)
