"""The map painter draws what is on the pad in the style of the plane's place."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from gancourse.errors import CourseError
from gancourse.widgets import MapPainter, dial

PALETTE = {"sky": (200, 220, 255), "meadow": (120, 200, 90), "house": (150, 70, 50)}
MAPS = torch.stack([torch.zeros(8, 8), torch.ones(8, 8), torch.full((8, 8), 2)]).long()
PICTURES = {  # of another size than the maps
    "dark": torch.full((3, 4, 4), -0.8),
    "bright": torch.full((3, 4, 4), 0.8),
}


def shaded(maps, z):
    """The class is the brightness, and the style a tint of red."""
    grey = (maps[:, None].float() - 1) * 0.5
    tint = torch.stack([z[:, 0] * 0.3, z[:, 0] * 0, z[:, 0] * 0], 1)[:, :, None, None]
    return (grey + tint).clamp(-1, 1)


def brightness(pictures):
    return pictures.mean((2, 3))[:, :2]


def live(**options):
    given = {"draw": shaded, "encode": brightness, "palette": PALETTE, "maps": MAPS}
    tool = MapPainter(**given | {"pictures": PICTURES} | options)
    tool.ui  # noqa: B018 - makes the widget
    return tool


def colour(tool, x=5, y=5):
    """The colour of the answer at a pixel of its left upper corner, in [-1, 1]."""
    return np.asarray(Image.open(io.BytesIO(tool.image.value)))[y, x] / 127.5 - 1


def painted(tool, number):
    tool.pad.pixels = np.full((8, 8), number, np.uint8).tobytes()


def test_what_is_painted_is_drawn_in_the_style_that_was_taken():
    tool = live()
    for number, grey in enumerate((-0.5, 0.0, 0.5)):
        painted(tool, number)
        for index, tint in enumerate((-0.24, 0.24)):
            tool.wardrobe.cells[index].click()
            assert colour(tool) == pytest.approx([grey + tint, grey, grey], abs=0.02)
            assert [*PICTURES][index] in tool.caption.value
    assert tool.problem.value == ""


def test_a_stroke_draws_one_picture_and_leaves_the_plane():
    asked = []

    def counted(maps, z):
        asked.append(len(z))
        return shaded(maps, z)

    tool = live(draw=counted)
    plane = bytes(tool.plane.picture)
    asked.clear()
    painted(tool, 2)
    assert asked == [1] and bytes(tool.plane.picture) == plane
    tool.draw_plane()
    assert asked == [1, dial.CELLS**2] and bytes(tool.plane.picture) != plane


def test_a_move_on_the_plane_changes_the_style_and_not_the_map():
    tool = live()
    painted(tool, 1)
    tool.plane.place = (0.9, 0.5)
    assert tool.z[0].item() == pytest.approx(0.8 * dial.REACH)
    assert colour(tool)[1] == pytest.approx(0, abs=0.02) and colour(tool)[0] > 0.4
    tool.middle.click()
    assert not tool.z.any() and colour(tool) == pytest.approx([0, 0, 0], abs=0.02)


def test_an_example_comes_onto_the_pad_and_the_first_is_there_at_the_start():
    tool = live()
    assert not tool._drawn().any()
    tool.shelf.cells[2].click()
    assert (tool._drawn() == 2).all() and tool.problem.value == ""


def test_a_map_of_one_class_and_one_of_a_byte_beyond_the_palette_are_drawn():
    tool = live(maps=MAPS[:1])
    painted(tool, 200)  # no class: as the last
    assert colour(tool)[1] == pytest.approx(0.5, abs=0.02) and tool.problem.value == ""


def test_an_error_of_the_network_is_shown_and_goes_away():
    def picky(maps, z):
        if maps.max() > 1:
            raise ValueError("no houses")
        return shaded(maps, z)

    tool = live(draw=picky)
    painted(tool, 2)
    assert "no houses" in tool.problem.value
    painted(tool, 1)
    assert tool.problem.value == ""


def test_the_still_picture_has_a_row_for_each_map_and_a_column_for_each_style():
    figure = MapPainter(shaded, brightness, PALETTE, MAPS, PICTURES).still()
    words = {text.get_text() for ax in figure.axes for text in (*ax.texts, ax.title)}
    words |= {text.get_text() for text in figure.texts}
    words |= {ax.get_title(loc="left") for ax in figure.axes}
    words |= {label.get_text() for ax in figure.axes for label in (ax.xaxis.label, ax.yaxis.label)}
    assert {"map", "dark", "bright", "map 1", "map 3"} <= words
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    "change",
    [
        {"maps": MAPS[:0]},
        {"maps": MAPS + 1},
        {"maps": MAPS.float()},
        {"maps": MAPS[:, :4]},
        {"palette": {}},
        {"palette": [*PALETTE]},
        {"pictures": {}},
        {"encode": lambda pictures: pictures.flatten(1)[:1]},
        {"draw": lambda maps, z: z},
    ],
)
def test_what_does_not_fit_is_refused(change):
    with pytest.raises(CourseError):
        live(**change)
