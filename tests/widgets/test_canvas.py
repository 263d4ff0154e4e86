"""The canvas hands the network what is drawn, and shows what it makes of it."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from gancourse.errors import CourseError
from gancourse.plotting.tiles import Tiles
from gancourse.widgets import Canvas

PALETTE = {"sky": (10, 20, 250), "hill": (0, 200, 0), "<b>": (255, 0, 0)}
SKETCHES = torch.linspace(-1, 1, 3)[:, None, None, None].expand(3, 1, 8, 8)
MAP = torch.tensor(list(PALETTE.values()))[torch.arange(64).reshape(8, 8) % 3].permute(2, 0, 1)


def live(translate=torch.neg, palette=None, **options):
    tool = Canvas(translate, palette, **{"size": 8} | options)
    tool.ui  # noqa: B018 - makes the widget
    return tool


def shown(image):
    picture = Image.open(io.BytesIO(image.value)).convert("RGB")
    return torch.from_numpy(np.asarray(picture) / 127.5 - 1).permute(2, 0, 1).float()


def paint(tool, raster):
    """Do what the browser does."""
    tool.pad.set_state({"pixels": memoryview(np.asarray(raster, np.uint8).tobytes())})


def test_an_empty_sketch_is_paper_and_an_empty_map_is_all_of_the_first_part():
    assert torch.equal(live().drawing(), torch.ones(1, 1, 8, 8))
    sky = torch.tensor([10.0, 20.0, 250.0]) / 127.5 - 1
    assert torch.equal(live(palette=PALETTE).drawing(), sky.view(1, 3, 1, 1).expand(1, 3, 8, 8))


def test_the_network_is_given_the_greys_of_a_sketch_row_by_row():
    given = []
    tool = live(lambda images: given.append(images) or images)
    raster = np.arange(64).reshape(8, 8)
    paint(tool, raster)
    assert torch.equal(given[-1], torch.from_numpy(raster)[None, None] / 127.5 - 1)
    assert torch.equal(tool.drawing(), given[-1])


def test_the_network_is_given_the_colours_of_the_parts():
    given = []
    tool = live(lambda images: given.append(images) or images, PALETTE)
    paint(tool, np.arange(64).reshape(8, 8) % 3)
    assert torch.equal(given[-1], MAP[None] / 127.5 - 1)


def test_the_answer_follows_each_stroke():
    tool = live(size=16, examples=None)
    raster = np.full((16, 16), 255, np.uint8)
    raster[:8] = 0
    paint(tool, raster)
    answer = shown(tool.image)
    assert answer[:, :300].min() == 1.0 and answer[:, -300:].max() == -1.0
    assert "answered in" in tool.took.value


def test_the_first_example_is_there_at_the_start_and_a_click_loads_another():
    tool = live(examples=SKETCHES)
    assert tool.drawing().unique().tolist() == [-1.0]
    tool.shelf.cells[2].click()
    assert tool.drawing().unique().tolist() == [1.0]
    tool.shelf.cells[1].click()
    assert tool.drawing().unique().item() == pytest.approx(0, abs=0.01)
    assert shown(tool.image).unique().item() == pytest.approx(0, abs=0.01)


def test_examples_of_a_map_take_the_nearest_part_in_every_pixel():
    noise = torch.randint(-4, 5, (3, 8, 8), generator=torch.Generator().manual_seed(0))
    tool = live(palette=PALETTE, examples=(MAP + noise).clamp(0, 255).byte()[None])
    assert torch.equal(tool.drawing()[0], MAP / 127.5 - 1)


def test_clear_empties_the_pad_and_tells_the_browser_to_remember_what_was_there():
    tool = live(examples=SKETCHES[:1])
    sent = []
    tool.pad.send = lambda content, buffers=None: sent.append((content, buffers))
    tool.clear.click()
    assert tool.drawing().min() == 1.0
    assert sent == [({"action": "put"}, [b"\xff" * 64])]
    tool.undo.click()
    assert sent[1] == ({"action": "undo"}, None)


def test_there_is_a_tool_for_each_part_and_the_browser_links_them_to_the_pad():
    sketch, parts = live(), live(palette=PALETTE, brush=2)
    assert sketch.tool.options == ("pen", "eraser")
    assert parts.tool.options == ("sky", "hill", "<b>")
    for tool, chosen, brush in ((sketch, 0, 1), (parts, 1, 2)):
        assert tool.tool.index == tool.pad.tool == chosen
        assert tool.breadth.value == tool.pad.brush == brush
        ends = {(link.source[0], link.source[1], link.target[1]) for link in tool.links}
        assert ends == {(tool.tool, "index", "tool"), (tool.breadth, "value", "brush")}
    assert parts.pad.palette == [list(colour) for colour in PALETTE.values()]


def test_what_goes_wrong_is_said_beside_the_pad_until_it_works_again():
    def translate(images):
        if images.mean() < 0:
            raise ValueError("too dark")
        return images

    tool = live(translate)
    paint(tool, np.zeros((8, 8)))
    assert "too dark" in tool.problem.value
    paint(tool, np.full((8, 8), 255))
    assert tool.problem.value == ""


def test_the_still_picture_has_drawings_and_answers():
    (tiles,) = Canvas(torch.neg, examples=SKETCHES, size=8).still().findobj(Tiles)
    assert tiles.labels == ["drawn", "the network's answer"]
    drawn, answered = ([picture[4, 4, 0] for picture in row] for row in tiles.rows)
    assert drawn == pytest.approx([0, 128, 255], abs=1)
    assert answered == pytest.approx([255, 127, 0], abs=1)
    assert "sky" in Canvas(torch.neg, PALETTE, size=8).summary


@pytest.mark.parametrize(
    "palette, options, message",
    [
        ({"sky": (0, 0, 256), "hill": (0, 0, 0)}, {}, "palette .*'sky'"),
        ({"sky": (0, 0, 0)}, {}, "palette .* 2 to 256"),
        ({"sky": (0, 0), "hill": (0, 0, 0)}, {}, "red, green, blue"),
        ({"sky": "#88ccff", "hill": "#00ff00"}, {}, "red, green, blue.* '#88ccff'"),
        ({"sky": (0.5, 0.7, 1.0), "hill": (0, 1, 0)}, {}, r"palette .* \(0\.5, 0\.7"),
        ([(0, 0, 0), (9, 9, 9)], {}, "palette"),
        ({}, {}, "palette .* 2 to 256"),
        (None, {"size": 8.0}, r"size .* 8\.0"),
        (None, {"size": 1}, "size .* 1"),
        (None, {"brush": 1.5}, r"brush .* 1\.5"),
        (None, {"examples": torch.ones(2, 3, 8, 8)}, r"examples .* \(n, 1, height"),
        (None, {"examples": SKETCHES[:0]}, "examples .* n > 0"),
        (None, {"examples": torch.ones(2, 1, 9, 9)}, "examples .* 8 x 8.* size="),
        (None, {"brush": 5}, r"brush .* 1\.\.4"),
    ],
)
def test_what_does_not_fit_is_explained(palette, options, message):
    with pytest.raises(CourseError, match=message):
        Canvas(torch.neg, palette, **{"size": 8} | options)


def test_a_network_of_something_else_is_explained():
    with pytest.raises(CourseError, match=r"translate\(images\)"):
        Canvas(lambda images: images.flatten(1), size=8)
