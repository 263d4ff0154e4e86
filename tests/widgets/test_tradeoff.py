"""The trade-off explorer enlarges with the network at the slider, and shows where that lies."""

import pytest
import torch
import torch.nn.functional as F

from gancourse.errors import CourseError, DataError
from gancourse.widgets import Tradeoff

IMAGES = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
PLACES = [(0.0, 24.0, 30.0), (0.5, 23.0, 20.0), (1.0, 21.0, 10.0)]


def shrink(images):
    return F.avg_pool2d(images, 4)


def enlarge(small, alpha):
    return F.interpolate(small, scale_factor=4) * (1 - alpha)


def live(**changes):
    given = {"images": IMAGES, "shrink": shrink, "enlarge": enlarge, "places": PLACES}
    tool = Tradeoff(**given | changes)
    tool.ui  # noqa: B018 - makes the widget
    return tool


def test_the_network_is_the_one_at_the_slider():
    asked = []

    def noting(small, alpha):
        asked.append((tuple(small.shape), round(alpha.item(), 3)))
        return enlarge(small, alpha)

    tool = live(enlarge=noting)
    tool.alpha.value = 0.25
    assert asked[-1] == ((1, 3, 8, 8), 0.25)
    assert "23.50" in tool.status.value and "25.0" in tool.status.value


def test_between_measured_points_the_place_is_on_the_line():
    tool = Tradeoff(IMAGES, shrink, enlarge, PLACES)
    assert tool.place(0.0) == (24.0, 30.0) and tool.place(1.0) == (21.0, 10.0)
    assert tool.place(0.75) == pytest.approx((22.0, 15.0))
    assert tool.place(0.5) == (23.0, 20.0)


def test_what_is_shown_of_a_picture_has_one_size_each():
    tool = Tradeoff(IMAGES, shrink, enlarge, PLACES)
    found = tool.columns(1, 0.0)
    assert list(found) == ["small picture", "bicubic", "the network", "the truth"]
    assert torch.equal(found["the truth"], IMAGES[1:2])
    torch.testing.assert_close(found["the network"], enlarge(shrink(IMAGES[1:2]), 0.0))
    assert tool._padded(found).shape == (4, 3, 32, 32)


def test_a_picture_of_the_shelf_is_taken():
    tool = live()
    tool.shelf.cells[2].click()
    assert tool.picked == 2
    tool.shelf.cells[3].click()  # there is no picture of one's own yet
    assert tool.picked == 2 and not tool.problem.value


def test_ones_own_picture_is_shrunk_and_enlarged():
    tool = live()
    own = IMAGES[:1].flip(3)
    tool.receive("me.png", lambda size: own if size == 32 else None)
    assert tool.picked == 3 and torch.equal(tool.columns(3, 0.0)["the truth"], own)
    assert "me.png" in tool.received.value


def test_a_file_that_is_no_picture_is_refused_beside_the_button():
    tool = live()

    def read(size):
        raise DataError("x.txt cannot be read: <no picture>")

    tool.receive("x.txt", read)
    assert "&lt;no picture&gt;" in tool.received.value and tool.picked == 0


def test_the_mark_moves_on_the_plane():
    tool, pictures = live(), []
    tool.plane.observe(lambda change: pictures.append(bytes(change.new)), "value")
    tool.alpha.value = 0.0
    tool.alpha.value = 1.0
    assert len({*pictures}) == 2
    x0, y0 = tool._to_pixels(24.0, 30.0)
    x1, y1 = tool._to_pixels(21.0, 10.0)
    assert x1 < x0 and y1 > y0  # a lower PSNR is left, a lower distance is below


def test_the_still_picture_has_pictures_and_the_plane():
    figure = Tradeoff(IMAGES, shrink, enlarge, PLACES, fixed={"bicubic": (22.0, 25.0)}).still()
    plane = figure.axes[-1]
    assert "PSNR" in plane.get_xlabel() and "FID" in plane.get_ylabel()
    assert {"MSE", "GAN", "bicubic"} <= {text.get_text() for text in plane.texts}


@pytest.mark.parametrize(
    "change",
    [{"images": IMAGES[0]}, {"places": PLACES[:1]}, {"places": PLACES[::-1]},
     {"enlarge": lambda small, alpha: small}],
)  # fmt: skip
def test_what_does_not_fit_is_refused(change):
    given = {"images": IMAGES, "shrink": shrink, "enlarge": enlarge, "places": PLACES}
    with pytest.raises(CourseError):
        Tradeoff(**given | change)
