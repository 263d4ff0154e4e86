"""The scrubber shows the record that its slider stands at."""

import io

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image

from gancourse.errors import CourseError
from gancourse.plotting import FAKE, REAL
from gancourse.widgets import Scrubber, extent_of, plane

PALETTE = (REAL, FAKE, "white")
NOWHERE = torch.tensor([[9.0, 9.0]])
REAL_POINTS = torch.tensor([[0.5, 0.5], [-0.5, -0.5]])


def record(x=0.0, y=0.0, heat=0.5, **numbers):
    """Make a record: one sample at (x, y), and a D of one opinion."""
    return {"samples": torch.tensor([[x, y]]), "heat": torch.full((16, 16), heat)} | numbers


def two_steps():
    return Scrubber([(0, record(-0.5, 0.5)), (1500, record(0.5, -0.5))], REAL_POINTS, extent=1.0)


def near(pixels, x, y, colour):
    """Tell whether at the point (x, y) of the square -1..1 this colour is the nearest."""
    height, width = pixels.shape[:2]
    pixel = pixels[round((1 - y) / 2 * height), round((x + 1) / 2 * width)]
    away = {name: np.abs(pixel - 255 * np.array(to_rgb(name))).sum() for name in PALETTE}
    return colour == min(away, key=away.get)


def decoded(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(float)


def test_points_are_drawn_where_they_are_in_their_colours():
    tool = two_steps()
    first, second = (np.asarray(tool.picture(i)).astype(float) for i in (0, 1))
    for pixels in (first, second):
        assert near(pixels, 0.5, 0.5, REAL)
        assert near(pixels, -0.5, -0.5, REAL)
        assert near(pixels, 0, 0, "white")
    assert near(first, -0.5, 0.5, FAKE)
    assert near(first, 0.5, -0.5, "white")
    assert near(second, 0.5, -0.5, FAKE)


def test_the_picture_and_the_readout_follow_the_slider():
    tool = two_steps()
    tool.ui  # noqa: B018 - makes the widget
    assert tool.slider.label == "1,500"  # it opens at the end of the training
    assert ">1,500</b>" in tool.panel.value
    assert near(decoded(tool.image.value), 0.5, -0.5, FAKE)
    tool.slider.index = 0
    assert ">0</b>" in tool.panel.value
    assert near(decoded(tool.image.value), -0.5, 0.5, FAKE)
    assert tool.problem.value == ""


def test_the_picture_has_two_pixels_for_each_of_the_page():
    tool = two_steps()
    tool.ui  # noqa: B018
    width, _ = Image.open(io.BytesIO(tool.image.value)).size
    assert f"{width // 2}px" == tool.image.layout.width


def test_the_heat_map_has_up_at_the_top():
    points = plane(1.0, 16)
    heat = (points[:, 1] > 0).float().reshape(16, 16)  # D calls the upper half real
    tool = Scrubber([(0, {"samples": torch.empty(0, 2), "heat": heat})], NOWHERE, extent=1.0)
    pixels = np.asarray(tool.picture(0)).astype(float)
    red, blue = pixels[..., 0], pixels[..., 2]
    assert (blue > red)[:300].all() and (red > blue)[-300:].all()


def test_the_line_where_d_is_undecided_is_drawn_and_only_there():
    heat = plane(1.0, 16)[:, 0].sigmoid().reshape(16, 16)  # 0.5 at x = 0
    tool = Scrubber([(0, {"samples": torch.empty(0, 2), "heat": heat})], NOWHERE, extent=1.0)
    grey = np.asarray(tool.picture(0).convert("L")).astype(float)
    middle = grey.shape[1] // 2
    assert grey[:, middle - 3 : middle + 3].min(1).max() < 150
    assert grey[:, : middle - 10].min() > 180
    flat = Scrubber([(0, record(9.0, 9.0))], NOWHERE, extent=1.0)
    assert np.asarray(flat.picture(0).convert("L")).min() > 240


def test_further_numbers_and_samples_out_of_sight_are_reported():
    records = [(0, record(5.0, 0.0, loss_d=torch.tensor(1.38629), note="text"))]
    legend = Scrubber(records, REAL_POINTS, extent=1.0).legend(0)
    assert "<td>loss_d</td><td>1.386</td>" in legend
    assert "1 of 1 lie outside" in legend


def test_a_sample_that_is_not_a_number_counts_as_outside():
    tool = Scrubber([(0, record(float("nan"), 0.0))], REAL_POINTS, extent=1.0)
    tool.picture(0)
    assert "1 of 1 lie outside" in tool.legend(0)


def test_still_picture_shows_six_steps_from_the_first_to_the_last():
    records = [(100 * i, record()) for i in range(41)]
    titles = [ax.get_title(loc="left") for ax in Scrubber(records, REAL_POINTS).still().axes]
    assert titles == [f"step {step:,}" for step in (0, 100, 300, 600, 1600, 4000)]
    assert len(Scrubber(records[:2], REAL_POINTS).still().axes) == 2


def test_extent_holds_the_data_with_room_and_is_round():
    assert extent_of(torch.tensor([[1.03, 0.0], [0.0, -0.9]])) == (-1.5, 1.5, -1.5, 1.5)


def test_plane_runs_row_by_row_from_the_lowest_corner():
    points = plane((0.0, 2.0, 10.0, 14.0), 2)
    assert points.tolist() == [[0.5, 11.0], [1.5, 11.0], [0.5, 13.0], [1.5, 13.0]]


def test_a_wide_extent_gives_a_wide_picture():
    tool = Scrubber([(0, record())], REAL_POINTS, extent=(-2, 2, -1, 1))
    width, height = tool.picture(0).size
    assert width == 2 * height


@pytest.mark.parametrize(
    "records, message",
    [
        ([], "records .* record="),
        ([(3, {"samples": torch.zeros(1, 2)})], "step 3 has no heat"),
        ([(3, record() | {"heat": torch.zeros(16)})], "heat at step 3 .*reshape"),
        ([(3, record(heat=1.5))], "heat at step 3 .*sigmoid"),
        ([(3, record(heat=float("nan")))], "heat at step 3 .*probabilities"),
        ([(3, record() | {"samples": torch.zeros(4, 3)})], "samples"),
    ],
)
def test_a_wrong_record_is_explained(records, message):
    with pytest.raises(CourseError, match=message):
        Scrubber(records, REAL_POINTS)


@pytest.mark.parametrize("extent", [-1.0, (0, 1), (1, 0, 0, 1), "wide"])
def test_a_wrong_extent_is_explained(extent):
    with pytest.raises(CourseError, match="extent"):
        Scrubber([(0, record())], REAL_POINTS, extent=extent)
