"""The forgetting explorer drops the filters that its controls name, and tells what is lost."""

import io
import re

import numpy as np
import pytest
import torch
from noise import Noise
from PIL import Image

from gancourse.errors import CourseError
from gancourse.plotting.tiles import Tiles
from gancourse.widgets import Forgetting

DIM = 4
RANKINGS = {"bright": [2, 0, 1, 3], "<b>": torch.tensor([3, 1])}


def generate(z, drop):
    """Draw four filters, each of which is one number of z and one row of 4 x 4 pixels."""
    return (z * ~drop)[:, None, :, None].expand(-1, 1, 4, 4)


def detect(images):
    """See whether the third row is bright."""
    return {"bright": images[:, 0, 2, 0] > 0.5, "any_where": images.amax((1, 2, 3)).clamp(0, 1)}


def explorer(**options):
    options = {"n": 6, "generate": generate, "rankings": RANKINGS} | options
    return Forgetting(Noise(None, DIM), **options)


def live(**options):
    tool = explorer(**options)
    tool.ui  # noqa: B018 - makes the widget
    return tool


def faces(n, seed=0):
    return Noise(None, DIM).draw_z(n, seed)


def drawn(board):
    """Read the four rows of every picture of a board as numbers in [-1, 1]."""
    sheet = np.asarray(Image.open(io.BytesIO(board.image.value)).convert("L")) / 127.5 - 1
    pitch, gap = len(sheet) // board.rows, 4
    side = (pitch - 2 * gap) / 4
    rows = [round(gap + (i + 0.5) * side) for i in range(4)]
    cells = [divmod(i, board.columns) for i in range(board.rows * board.columns)]
    return torch.tensor(
        [[sheet[r * pitch + y, c * pitch + pitch // 2] for y in rows] for r, c in cells]
    ).float()


@pytest.mark.parametrize(
    "name, share, expected",
    [
        ("bright", 0.0, []),
        ("bright", 0.25, [2]),
        ("bright", 0.5, [0, 2]),
        ("bright", 1.0, [0, 1, 2, 3]),
        ("<b>", 0.5, [3]),
        ("<b>", 1.0, [1, 3]),
    ],
)
def test_the_share_is_taken_from_the_front_of_the_ranking(name, share, expected):
    drop = explorer().dropped(name, share)
    assert drop.dtype == torch.bool and drop.shape == (4,)
    assert drop.nonzero().flatten().tolist() == expected


def test_both_boards_show_the_same_faces_with_and_without_the_filters():
    tool = live(share=0.5)
    z = faces(6)
    assert torch.allclose(drawn(tool.before)[:6], z, atol=0.01)
    assert torch.allclose(drawn(tool.after)[:6], z * torch.tensor([0, 1, 0, 1]), atol=0.01)


def test_slider_object_and_seed_are_followed():
    tool = live()
    z = faces(6)
    tool.slider.value = 100
    assert drawn(tool.after)[:6].abs().max() < 0.01
    assert tool.count.value == "% = 4 of 4 filters"
    tool.object.value = "<b>"
    assert torch.allclose(drawn(tool.after)[:6], z * torch.tensor([1, 0, 1, 0]), atol=0.01)
    assert tool.count.value == "% = 2 of 4 filters"
    tool.new.click()
    z = faces(6, seed=1)
    assert torch.allclose(drawn(tool.before)[:6], z, atol=0.01)
    assert torch.allclose(drawn(tool.after)[:6], z * torch.tensor([1, 0, 1, 0]), atol=0.01)
    tool.slider.value = 0
    assert torch.equal(drawn(tool.after), drawn(tool.before))
    assert tool.problem.value == ""


def test_with_a_judge_faces_that_have_the_object_come_first_unless_others_are_wanted():
    tool = live(detect=detect)
    pool = faces(24)
    having = pool[pool[:, 2] > 0.5]
    assert len(having) >= 6
    assert torch.allclose(drawn(tool.before)[:6], having[:6], atol=0.01)
    tool.with_it.value = False
    assert torch.allclose(drawn(tool.before)[:6], pool[:6], atol=0.01)
    tool.object.value = "<b>"  # the judge does not know it
    assert tool.with_it.disabled
    assert torch.allclose(drawn(tool.before)[:6], pool[:6], atol=0.01)


def test_too_few_faces_with_the_object_are_followed_by_others():
    tool = explorer(detect=lambda images: {"bright": torch.arange(len(images)) == 20})
    z, _, found = tool.faces("bright")
    assert torch.equal(z, faces(24)[[0, 1, 2, 3, 4, 20]])
    assert found["bright"].tolist() == [0, 0, 0, 0, 0, 1]


def test_the_judges_rates_before_and_after_are_told_with_bars():
    tool = live(detect=detect, share=0.25)

    def rates():
        return re.findall(r"(\d+) → (\d+) %", tool.table.value)

    assert rates()[0] == ("100", "0")
    tool.slider.value = 0
    assert rates()[0] == ("100", "100")
    tool.with_it.value = False
    z = faces(6)
    bright, anywhere = (z[:, 2] > 0.5).float().mean(), z.amax(1).clamp(0, 1).mean()
    assert rates() == [(f"{100 * rate:.0f}",) * 2 for rate in (bright, anywhere)]
    widths = re.findall(r"width: ([\d.]+)%", tool.table.value)
    expected = [100 * rate.item() for rate in (bright, bright, anywhere, anywhere)]
    assert [float(width) for width in widths] == pytest.approx(expected, abs=0.1)


def test_faces_with_all_filters_are_asked_for_once_while_the_slider_moves():
    asked = []
    tool = live(generate=lambda z, drop: asked.append(int(drop.sum())) or generate(z, drop))
    asked.clear()
    tool.slider.value = 50
    tool.slider.value = 75
    assert asked == [2, 3]


def test_a_layer_may_have_more_filters_than_are_ranked():
    tool = explorer(rankings={"one": [1]}, filters=4)
    assert tool.dropped("one", 1.0).tolist() == [False, True, False, False]


def test_names_are_text_and_not_markup():
    tool = live(detect=lambda images: {"<b>": images[:, 0, 0, 0] > 0})
    assert "&lt;b&gt;" in tool.table.value
    assert 'title="<b>"' not in tool.table.value


def test_the_still_picture_has_both_rows_for_each_object_and_the_judges_rates():
    (tiles,) = explorer(detect=detect, share=0.25).still().findobj(Tiles)
    assert tiles.labels == [
        "bright, all filters",
        "1 of 4 dropped: bright 100 → 0 %",
        "<b>, all filters",
        "0 of 4 dropped: <b>",
    ]


@pytest.mark.parametrize("options", [{}, {"detect": detect}, {"n": 2}, {"n": 24}])
def test_it_fits_the_page(options):
    tool = live(**options)
    boards = [int(b.ui.layout.width.removesuffix("px")) for b in (tool.before, tool.after)]
    judge = 244 + 16 if "detect" in options else 0
    assert sum(boards) + 16 + judge <= int(tool.ui.layout.max_width.removesuffix("px")) <= 760


@pytest.mark.parametrize(
    "options, message",
    [
        ({"rankings": {}}, "rankings"),
        ({"rankings": {"hat": [0, 0]}}, "'hat' must hold different"),
        ({"rankings": {"hat": [0, 4]}, "filters": 4}, "'hat' .* 0 to 3"),
        ({"rankings": {"hat": []}, "filters": 4}, "'hat'"),
        ({"share": 20}, "share"),
        ({"detect": lambda images: {"hat": images}}, "detect .* 'hat'"),
        ({"generate": lambda z, drop: z}, "generate"),
    ],
)
def test_what_does_not_fit_is_explained(options, message):
    with pytest.raises(CourseError, match=message):
        explorer(**options)


def test_an_unknown_object_is_explained():
    with pytest.raises(CourseError, match=r"'beard'.* bright, <b>"):
        explorer().dropped("beard", 0.5)
