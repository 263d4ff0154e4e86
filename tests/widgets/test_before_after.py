"""Before and after: the wipe shows the stops of the trip, and its errors are measured."""

import re

import numpy as np
import pytest
import torch

from gancourse.errors import CourseError
from gancourse.plotting.tiles import Tiles
from gancourse.widgets import BeforeAfter

GREYS = torch.tensor([-0.8, -0.4, 0.0, 0.4])[:, None, None, None].expand(4, 3, 8, 8)


def there(images):
    return -images


def back(images):
    return -0.5 * images


def explorer(images=(GREYS, GREYS + 0.2), **options):
    return BeforeAfter(images, there, back, **options)


def live(*args, **options):
    tool = explorer(*args, **options)
    tool.ui  # noqa: B018 - makes the widget
    return tool


def values(picture):
    """Read the middle row of a picture as numbers in [-1, 1]."""
    pixels = np.asarray(picture.convert("L")) / 127.5 - 1
    return pixels[len(pixels) // 2]


def test_a_trip_goes_there_and_back_in_each_direction():
    tool = explorer()
    for direction, ways in enumerate(((-1, -0.5), (-0.5, -1))):
        source, translation, again = tool.trip(direction, 1)
        assert torch.equal(source, tool.kinds[direction][1])
        assert torch.allclose(translation, ways[0] * source)
        assert torch.allclose(again, ways[1] * translation)


def test_the_error_is_the_mean_difference_in_levels_of_255():
    moved, error = explorer().errors(0, 0)
    assert moved == pytest.approx(127.5 * 1.6)
    assert error == pytest.approx(127.5 * 0.4)


@pytest.mark.parametrize(
    "position, left, right",
    [(0, -0.8, -0.8), (50, 0.8, -0.8), (100, 0.8, 0.8), (150, -0.4, 0.8), (200, -0.4, -0.4)],
)
def test_the_wipe_shows_the_later_stop_on_the_left(position, left, right):
    tool = explorer()
    row = values(tool.wiped(tool.trip(0, 0), position))
    assert (row[2], row[-3]) == pytest.approx((left, right), abs=0.01)


@pytest.mark.parametrize("position", [20, 75, 130])
def test_the_wipes_edge_is_where_the_slider_says(position):
    tool = explorer()
    row = values(tool.wiped(tool.trip(0, 0), position))
    (line,) = np.nonzero(row > 0.95)  # white
    assert line.mean() / len(row) == pytest.approx(position % 100 / 100, abs=0.01)


def test_slider_picture_and_direction_are_followed():
    tool = live(names=("day", "night"))
    before = tool.image.value
    tool.wipe.value = 60
    assert tool.image.value != before
    assert tool.share.value == "60 % translation"
    tool.wipe.value = 125
    assert tool.share.value == "25 % way back"
    assert numbers(tool) == pytest.approx([127.5 * 0.4, 127.5 * 1.6], abs=0.06)
    tool.shelves[0].cells[3].click()
    assert numbers(tool) == pytest.approx([127.5 * 0.2, 127.5 * 0.8], abs=0.06)
    assert "Way back to day" in tool.caption.value
    tool.direction.value = 1  # the first of the others, -0.6
    assert numbers(tool) == pytest.approx([127.5 * 0.3, 127.5 * 0.9], abs=0.06)
    assert "Way back to night" in tool.caption.value
    assert tool.shelf_box.children == (tool.shelves[1].ui,)
    tool.direction.value = 0  # each direction keeps its picture
    assert numbers(tool) == pytest.approx([127.5 * 0.2, 127.5 * 0.8], abs=0.06)
    assert tool.problem.value == ""


def numbers(tool):
    return [float(number) for number in re.findall(r"<b>([\d.]+)</b>", tool.caption.value)]


def test_a_click_on_a_stop_shows_it_alone():
    tool = live()
    for stop, name in enumerate(("source", "100 % translation", "100 % way back")):
        tool.stops.cells[stop].click()
        assert (tool.wipe.value, tool.share.value) == (100 * stop, name)
        assert "gancourse-here" in tool.stops.cells[stop]._dom_classes


def test_pictures_are_translated_once_and_only_when_they_are_looked_at():
    asked = []
    tool = BeforeAfter(GREYS, lambda x: asked.append(x.mean().item()) or -x, back)
    tool.ui  # noqa: B018
    for position in (10, 120):
        tool.wipe.value = position
    tool.shelves[0].cells[2].click()
    tool.shelves[0].cells[0].click()
    assert asked == pytest.approx([-0.8, 0.0])


def test_pictures_may_be_an_array():
    assert len(BeforeAfter(GREYS.numpy(), there, back).kinds) == 1


def test_with_pictures_of_one_kind_there_is_one_direction():
    tool = live(GREYS)
    assert len(tool.shelves) == 1
    assert tool.direction not in tool.ui.children
    assert len(tool.still().findobj(Tiles)) == 1


def test_a_translation_may_have_other_channels():
    sketches = GREYS[:, :1]
    tool = BeforeAfter(sketches, lambda x: x.expand(-1, 3, -1, -1), lambda x: x[:, :1])
    tool.ui  # noqa: B018
    assert numbers(tool) == [0.0]  # only of the way back
    assert tool.problem.value == ""


def test_names_are_text_and_not_markup():
    assert "<i>" not in live(names=("<i>", "B")).caption.value


def test_the_still_picture_has_a_column_for_each_stop_and_a_part_for_each_direction():
    figure = explorer(names=("day", "night")).still()
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["day → night", "night → day"]
    tiles, _ = figure.findobj(Tiles)
    assert tiles.heads == ["source", "translation", "way back"]
    values = [picture[0, 0, 0] / 127.5 - 1 for picture in tiles.rows[0]]
    assert values == pytest.approx([-0.8, 0.8, -0.4], abs=0.01)


@pytest.mark.parametrize(
    "images, ways, options, message",
    [
        ((GREYS, GREYS, GREYS), (there, back), {}, "images .* not of 3"),
        (GREYS, (there, back), {"names": ("A", "B", "C")}, "names must be two"),
        ((GREYS, GREYS[0]), (there, back), {}, "images of B"),
        (None, (there, back), {}, "images of A .* NoneType"),
        (GREYS, (lambda x: x[..., :4], back), {}, r"translate made \(3, 8, 4\)"),
        (GREYS, (there, lambda x: x[:, :1]), {}, r"back made \(1, 8, 8\)"),
        (GREYS, (there, lambda x: x[0]), {}, r"back\(images\)"),
    ],
)
def test_what_does_not_fit_is_explained(images, ways, options, message):
    with pytest.raises(CourseError, match=message):
        BeforeAfter(images, *ways, **options)
