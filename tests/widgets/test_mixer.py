"""The mixer shows every class in the same styles."""

import io

import numpy as np
import pytest
import torch
from noise import Noise
from PIL import Image

from gancourse.errors import CourseError
from gancourse.plotting.tiles import Tiles
from gancourse.widgets import ClassStyleMixer

DIM = 4
NAMES = ["cat", "dog", "<em>"]


def generate(z, labels):
    """Draw 4 x 4 images: z in the upper rows, how much of each class in the lower ones."""
    shares = labels if labels.dim() == 2 else torch.eye(3)[labels]
    image = torch.zeros(len(z), 1, 4, 4)
    image[:, 0, 0] = z
    image[:, 0, 2, :3] = shares
    return image


def styles(n=5, seed=0):
    return Noise(generate, DIM).draw_z(n, seed)


def mixer(soft=False, **options):
    options = {"directions": torch.eye(DIM), "generate": generate if soft else None} | options
    return ClassStyleMixer(Noise(generate, DIM), NAMES, **options)


def live(**options):
    tool = mixer(**options)
    tool.ui  # noqa: B018 - makes the widget
    return tool


def grey(image_widget, row, column):
    """Read one of the 4 x 4 pixels of a picture, as a value in [-1, 1]."""
    picture = np.asarray(Image.open(io.BytesIO(image_widget.value)).convert("L"))
    side = len(picture) // 4
    return picture[row * side + side // 2, column * side + side // 2] / 127.5 - 1


@pytest.mark.parametrize("soft", [False, True])
def test_a_column_is_a_class_and_a_row_is_a_style(soft):
    images = mixer(soft=soft).images()
    assert images.shape == (15, 1, 4, 4)
    grid = images.reshape(5, 3, 4, 4)
    assert torch.equal(grid[:, :, 0], styles()[:, None].expand(5, 3, DIM))
    assert torch.equal(grid[:, :, 2, :3], torch.eye(3).expand(5, 3, 3))


def test_all_styles_move_along_the_direction_by_standard_deviations():
    tool = mixer()
    grid = tool.images(2.0, 3).reshape(5, 3, 4, 4)
    assert torch.allclose(grid[:, 1, 0], styles() + 2.0 * tool.sd * torch.eye(DIM)[3])


def test_a_mix_is_a_last_column_between_two_classes():
    grid = mixer(soft=True).images(mix=(2, 0, 0.25)).reshape(5, 4, 4, 4)
    assert torch.equal(grid[:, :3, 2, :3], torch.eye(3).expand(5, 3, 3))
    assert torch.equal(grid[:, 3, 2, :3], torch.tensor([0.25, 0.0, 0.75]).expand(5, 3))
    assert torch.equal(grid[:, 3, 0], styles())


def test_directions_are_those_that_change_images_within_a_class():
    strengths = torch.tensor([1.0, 4.0, 2.0, 3.0])

    def drawn(z, labels):  # the class changes the images most of all
        return (z * strengths + 100.0 * labels[:, None]).reshape(-1, 1, 2, 2)

    tool = ClassStyleMixer(Noise(drawn, DIM, None), 3)
    assert torch.allclose(tool.directions, torch.eye(DIM)[[1, 3, 2, 0]], atol=0.02)


def test_a_click_enlarges_the_picture_and_says_which_it_is():
    tool = live()
    tool.board.cells[7].click()  # the third row has 6, 7, 8
    assert grey(tool.large, 2, 1) == 1  # a dog
    assert grey(tool.large, 0, 0) == pytest.approx(styles()[2, 0].item(), abs=0.01)
    assert "class <b>dog</b>, style <b>3</b>" in tool.caption.value
    assert tool.board.cells[7].description == "class dog, style 3"
    marked = ["gancourse-here" in cell._dom_classes for cell in tool.board.cells]
    assert marked == [i == 7 for i in range(15)]


def test_names_of_classes_are_text_and_not_markup():
    tool = live()
    tool.board.cells[2].click()
    assert "&lt;em&gt;" in tool.caption.value


def test_the_grid_and_the_enlarged_picture_follow_every_control():
    tool = live(soft=True)
    tool.board.cells[3].click()  # the mix in the first style
    seen = []

    def changed():
        seen.append((tool.board.image.value, tool.large.value))
        return len(seen) < 2 or all(a != b for a, b in zip(*seen[-2:], strict=True))

    for control, value in (
        (tool.shift, 1.5),
        (tool.direction, 2),
        (tool.share, 20),
        (tool.mix[0], 2),
        (tool.mix[1], 0),
        (tool.seed_box, 8),
    ):
        control.value = value
        assert changed()
    assert grey(tool.large, 0, 2) == pytest.approx(
        (styles(seed=8)[0, 2] + 1.5 * tool.sd).clamp(-1, 1).item(), abs=0.01
    )
    assert grey(tool.large, 2, 2) == pytest.approx(0.8, abs=0.01)
    assert "<b>80 %</b> &lt;em&gt;, <b>20 %</b> cat" in tool.caption.value


def test_new_styles_are_shown_unmoved_and_reset_keeps_them():
    tool = live()
    tool.shift.value = 2.0
    tool.new.click()
    assert (tool.seed_box.value, tool.shift.value) == (1, 0.0)
    fresh = tool.board.image.value
    tool.shift.value = -1.0
    assert tool.board.image.value != fresh
    tool.reset.click()
    assert (tool.seed_box.value, tool.board.image.value) == (1, fresh)


def test_without_soft_labels_there_is_nothing_to_mix():
    tool = live()
    assert not hasattr(tool, "mix")
    assert len(tool.board.cells) == 15


@pytest.mark.parametrize("classes, soft", [(2, False), (10, True), (16, False)])
def test_the_widget_fits_the_page_for_few_and_for_many_classes(classes, soft):
    generator = Noise(lambda z, labels: z.reshape(-1, 1, 2, 2), DIM)
    mix = generator if soft else None
    tool = ClassStyleMixer(generator, classes, generate=mix, directions=torch.eye(4))
    tool.ui  # noqa: B018
    assert 100 < int(tool.board.ui.layout.width.removesuffix("px")) <= 530
    assert int(tool.ui.layout.max_width.removesuffix("px")) <= 760


def test_still_picture_names_classes_and_styles():
    (tiles,) = mixer(styles=2).still().findobj(Tiles)
    assert (tiles.heads, tiles.labels) == (NAMES, ["style 1", "style 2"])
    assert tiles.shape == (2, len(NAMES))


@pytest.mark.parametrize(
    "classes, options, message",
    [
        (["one"], {}, "classes must be 2"),
        (NAMES, {"styles": 0}, "styles 1"),
        (NAMES, {"directions": torch.eye(3)}, "directions"),
        (NAMES, {"generate": lambda z, shares: z}, r"generate\(z, .* must return images"),
    ],
)
def test_what_does_not_fit_is_explained(classes, options, message):
    with pytest.raises(CourseError, match=message):
        ClassStyleMixer(Noise(generate, DIM), classes, **options)


def test_a_generator_of_something_else_is_explained():
    with pytest.raises(CourseError, match=r"generator\(z, \(15,\)\)"):
        ClassStyleMixer(Noise(lambda z, labels: z, DIM), 3, directions=torch.eye(DIM))
