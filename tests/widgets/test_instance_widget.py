"""The instance switch translates the one thing that is clicked, and takes it back."""

import io
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from gancourse.errors import CourseError
from gancourse.widgets import InstanceSwitch, instances

SCENES = torch.zeros(2, 3, 32, 32)
MASKS = torch.zeros(2, 3, 32, 32)
MASKS[0, 0, 4:8, 4:8] = MASKS[0, 2, 20:28, 16:20] = MASKS[1, 1, 10:12, 30:32] = 1


def painted(images, masks, direction):
    """Things of A become white, and one pixel wider; things of B become black."""
    union = masks.amax(1, keepdim=True)
    images = torch.where(union > 0, 1.0 if direction == "AB" else -1.0, images)
    return images, torch.nn.functional.max_pool2d(masks, (1, 3), 1, (0, 1))


def live(translate=painted, images=SCENES, masks=MASKS, kinds=("round tree", "fir")):
    tool = InstanceSwitch(translate, images, masks, kinds)
    tool.ui  # noqa: B018 - makes the widget
    return tool


def press(tool, index):
    count, _ = tool.board.pressed
    tool.board.pressed = (count + 1, index)


def pixel(tool, y, x):
    picture = np.asarray(Image.open(io.BytesIO(bytes(tool.board.picture))))
    scale = len(picture) / 32
    return picture[int((y + 0.5) * scale), int((x + 0.5) * scale)].tolist()


def test_a_click_changes_one_thing_and_another_changes_it_back():
    tool = live()
    assert len(tool.board.things) == 2, "the empty mask is no thing"
    press(tool, 0)
    assert pixel(tool, 5, 5) == [255] * 3 and pixel(tool, 22, 17) == pixel(tool, 0, 0)
    assert [thing["changed"] for thing in tool.board.things] == [True, False]
    assert tool.board.things[0]["label"] == "1: a fir; make it a round tree"
    assert "1 is now a fir" in tool.caption.value and tool.problem.value == ""
    press(tool, 0)
    assert pixel(tool, 5, 5) == [0] * 3 and not tool.changed[0]


def test_the_new_mask_is_what_is_clicked_next():
    tool = live()
    press(tool, 1)
    assert torch.equal(tool.found[1].nonzero()[:, 1].unique(), torch.arange(15, 21))


def test_undo_goes_back_step_by_step_and_says_when_there_is_none():
    tool = live()
    press(tool, 0)
    press(tool, 1)
    undo = tool.controls[0]
    undo.click()
    assert tool.changed == [True, False] and pixel(tool, 22, 17) == pixel(tool, 0, 0)
    undo.click()
    assert torch.equal(tool.picture, SCENES[0]) and torch.equal(tool.found, MASKS[0, [0, 2]])
    undo.click()
    assert "nothing" in tool.caption.value


def test_all_at_once_reports_the_difference_of_two_orders():
    tool = live()
    every = tool.controls[2]
    every.click()
    assert tool.changed == [True, True] and "difference" not in tool.caption.value
    every.click()
    assert "0.00000 of 255" in tool.caption.value
    tool.controls[0].click()
    tool.controls[0].click()
    assert torch.equal(tool.picture, SCENES[0])


def test_a_mask_that_vanishes_can_still_be_clicked():
    tool = live(lambda images, masks, direction: (images, 0 * masks))
    press(tool, 0)
    assert "vanished" in tool.caption.value and torch.equal(tool.found[0], MASKS[0, 0])


def test_another_scene_starts_anew():
    tool = live()
    press(tool, 0)
    tool.shelf.cells[1].click()
    assert len(tool.board.things) == 1 and tool.history == []
    press(tool, 1)  # a number of the scene before
    assert tool.changed == [False]


def test_each_button_is_large_enough_for_a_finger_and_within_the_picture():
    tool = live()
    for scene in (0, 1):
        tool.choose(scene)
        for thing in tool.board.things:
            left, top, right, bottom = thing["box"]
            assert min(left, top, right, bottom) >= -1e-9
            assert 1 - left - right >= instances.LEAST - 1e-6
            assert 1 - top - bottom >= instances.LEAST - 1e-6


def test_the_still_picture_shows_one_and_all():
    figure = InstanceSwitch(painted, SCENES, MASKS, ("round tree", "fir")).still()
    words = {text.get_text() for ax in figure.axes for text in (*ax.texts, ax.title)}
    words |= {text.get_text() for text in figure.texts}
    words |= {ax.get_title(loc="left") for ax in figure.axes}
    words |= {label.get_text() for ax in figure.axes for label in (ax.xaxis.label, ax.yaxis.label)}
    assert {"as it is", "one changed", "all changed", "scene 1"} <= words
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    "change",
    [
        {"images": SCENES[:0]},
        {"masks": MASKS[:1]},
        {"masks": 0 * MASKS},
        {"kinds": ("tree",)},
        {"translate": lambda images, masks, direction: (images[:, :1], masks)},
    ],
)
def test_what_does_not_fit_is_refused(change):
    with pytest.raises(CourseError):
        live(**change)


def test_the_things_are_real_buttons():
    source = Path(instances.__file__).with_name("instances.js").read_text(encoding="utf-8")
    assert all(name in source for name in ('createElement("button")', "aria-label", "aria-pressed"))
