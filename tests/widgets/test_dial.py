"""The style dial draws the chosen input in the style of its place, or of another picture."""

import io
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from gancourse.errors import CourseError
from gancourse.widgets import StyleDial, dial

INPUTS = torch.stack([torch.full((1, 8, 8), v) for v in (-0.5, 0.5)])
COLOURS = {"red": (0.8, -0.6, -0.4), "green": (-0.7, 0.9, 0.1), "dark": (-0.9, -0.8, -0.7)}
PICTURES = {
    name: torch.tensor(colour).view(3, 1, 1).expand(3, 8, 8) for name, colour in COLOURS.items()
}


def tinted(images, z):
    """The style is the colour, and the input its brightness."""
    return (z[:, :3, None, None] * 0.5 + images * 0.5).expand(-1, -1, 8, 8).clamp(-1, 1)


def mean_colour(pictures):
    return pictures.mean((2, 3))


def live(**options):
    given = {"translate": tinted, "encode": mean_colour, "inputs": INPUTS, "pictures": PICTURES}
    tool = StyleDial(**given | options)
    tool.ui  # noqa: B018 - makes the widget
    return tool


def colour(tool):
    """The colour of the output, in [-1, 1]."""
    return np.asarray(Image.open(io.BytesIO(tool.image.value)))[5, 5] / 127.5 - 1


def test_the_style_of_a_picture_is_taken_whole():
    """Three numbers of z, of which the plane has two: the third is not lost."""
    tool = live()
    for index, name in enumerate(PICTURES):
        tool.wardrobe.cells[index].click()
        torch.testing.assert_close(tool.z, torch.tensor(COLOURS[name]), rtol=0, atol=1e-5)
        assert tool.nearest()[0] == name and name in tool.caption.value
        assert colour(tool) == pytest.approx(0.5 * np.array(COLOURS[name]) - 0.25, abs=0.01)
    assert tool.problem.value == ""


def test_the_plane_reaches_to_styles_that_are_far_out():
    tool = live(encode=lambda pictures: 6 * mean_colour(pictures))
    for index in range(len(PICTURES)):
        tool.take(index)
        torch.testing.assert_close(tool.z, tool.styles[index], rtol=0, atol=1e-4)
        assert all(0 <= v <= 1 for v in tool.plane.place)


def test_a_move_of_the_ring_moves_z_along_the_axes_alone():
    tool = live()
    before = tool.z
    tool.plane.place = (0.7, 0.4)
    wanted = torch.tensor([0.4, 0.2]) * dial.REACH
    torch.testing.assert_close(tool.axes @ tool.z, wanted)
    away = tool.z - before
    torch.testing.assert_close(away, (tool.axes @ away) @ tool.axes, rtol=0, atol=1e-5)


def test_the_ring_goes_to_the_style_that_was_taken_and_back_to_0():
    tool = live()
    tool.take(1)
    x, y = tool.plane.place
    got = torch.tensor([2 * x - 1, 1 - 2 * y]) * dial.REACH
    torch.testing.assert_close(got, tool.axes @ tool.styles[1], rtol=0, atol=1e-5)
    tool.middle.click()
    assert tool.plane.place == (0.5, 0.5) and not tool.z.any()


def test_the_plane_shows_the_output_of_each_place():
    tool = live()
    sheet = np.asarray(Image.open(io.BytesIO(bytes(tool.plane.picture))))
    side = 2 * dial.SIDE // dial.CELLS
    assert sheet.shape[:2] == (dial.CELLS * side,) * 2
    for place in ((0.125, 0.125), (0.875, 0.125), (0.625, 0.375), (0.375, 0.875)):
        tool.plane.place = place
        x, y = (int(v * len(sheet)) for v in place)
        assert colour(tool) == pytest.approx(sheet[y, x] / 127.5 - 1, abs=0.03)


def test_another_input_is_drawn_in_the_same_style_and_the_plane_anew():
    tool = live()
    before, plane, z = colour(tool), bytes(tool.plane.picture), tool.z
    tool.shelf.cells[1].click()
    assert torch.equal(tool.z, z)
    assert colour(tool) == pytest.approx(before + 0.5, abs=0.01)
    assert bytes(tool.plane.picture) != plane


def test_a_move_draws_one_picture_and_not_the_plane():
    asked = []

    def counted(images, z):
        asked.append(len(z))
        return tinted(images, z)

    tool = live(translate=counted)
    asked.clear()
    tool.plane.place = (0.2, 0.3)
    assert asked == [1]


@pytest.mark.parametrize("numbers", [1, 2, 5])
def test_z_may_have_any_number_of_dimensions(numbers):
    weight = torch.randn(3, numbers, generator=torch.Generator().manual_seed(0))

    def translate(images, z):
        return ((z @ weight.T)[:, :, None, None] + images).expand(-1, 3, 8, 8).tanh()

    tool = live(translate=translate, encode=lambda pictures: pictures.mean((2, 3)) @ weight)
    tool.plane.place = (0.9, 0.2)
    assert tool.z.shape == (numbers,) and tool.problem.value == ""
    axes = tool.axes
    torch.testing.assert_close(axes @ axes.T, torch.eye(len(axes)), rtol=0, atol=1e-5)


def test_one_picture_is_enough():
    tool = live(pictures={"red": PICTURES["red"]})
    assert tool.nearest()[0] == "red" and tool.problem.value == ""


def test_the_still_picture_has_a_column_for_each_style_and_a_row_for_each_input():
    figure = StyleDial(tinted, mean_colour, INPUTS, PICTURES).still()
    words = {text.get_text() for ax in figure.axes for text in (*ax.texts, ax.title)}
    words |= {text.get_text() for text in figure.texts}
    words |= {ax.get_title(loc="left") for ax in figure.axes}
    words |= {label.get_text() for ax in figure.axes for label in (ax.xaxis.label, ax.yaxis.label)}
    assert {"red", "green", "dark", "input 1", "input 2"} <= words
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": INPUTS[:0]},
        {"pictures": {}},
        {"encode": lambda pictures: pictures.flatten(1)[:1]},
        {"encode": lambda pictures: pictures.mean((2, 3)) / 0},
        {"translate": lambda images, z: z},
    ],
)
def test_what_does_not_fit_is_refused(change):
    with pytest.raises(CourseError):
        live(**change)


def test_the_dial_can_be_reached_with_the_keyboard_and_dragged():
    source = Path(dial.__file__).with_name("dial.js").read_text(encoding="utf-8")
    wanted = ("tabIndex = 0", "ArrowLeft", "pointermove", "setPointerCapture")
    assert all(name in source for name in wanted)
