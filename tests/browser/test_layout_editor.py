"""The layout editor in JupyterLab: boxes dragged, resized, relabelled, and moved by keys."""

import re

import nbformat
import pytest

expect = pytest.importorskip("playwright.sync_api", reason="pip install playwright").expect

CELL = """
import torch
from gancourse import widgets
from gancourse.gans.lostgan import paste

boxes = torch.tensor([[[0.1, 0.1, 0.4, 0.4], [0.5, 0.5, 0.9, 0.9], [-1, -1, -1, -1]],
                      [[0.2, 0.2, 0.8, 0.8], [-1, -1, -1, -1], [-1, -1, -1, -1]]])
kinds = torch.tensor([[1, 2, 0], [3, 0, 0]])


def masks(boxes, kinds, z):
    return paste(torch.ones(*kinds.shape, 4, 4), boxes, 16) * (kinds > 0)[..., None, None]


def sample(boxes, kinds, z):
    own = (z[:, 2:] / 3 + kinds / 6 - 0.3).tanh()[..., None, None] * masks(boxes, kinds, z)
    return own.sum(1, keepdim=True).clamp(-1, 1) + 0 * z[:, :1, None, None]


widgets.LayoutEditor(sample, masks, (2, 1), boxes, kinds, ("sun", "house", "tree"))
"""

pytestmark = pytest.mark.browser


@pytest.fixture
def notebook(tmp_path):
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "layout.ipynb"
    cells = [nbformat.v4.new_code_cell(CELL.strip())]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def test_the_boxes_answer_to_mouse_and_keyboard(lab, notebook):
    lab.open(notebook)
    assert lab.run_all() == []
    explorer = lab.explorer(0, pictures=1)
    layout, told = explorer.locator(".gancourse-layout"), explorer.get_by_role("status")
    picture, boxes = explorer.locator(".gancourse-drawn"), layout.locator(".gancourse-box")
    expect(told).to_contain_text("2 of 3 objects; chosen: the sun")
    layout.scroll_into_view_if_needed()
    place = layout.bounding_box()

    def at(x, y):
        return place["x"] + x * place["width"], place["y"] + y * place["height"]

    def drag(start, end):
        lab.page.mouse.move(*at(*start))
        lab.page.mouse.down()
        lab.page.mouse.move(*at(*end), steps=5)
        lab.page.mouse.up()

    def lies(slot, left, top, width):
        style = rf"left: {left}(\.\d+)?%; top: {top}(\.\d+)?%; width: {width}(\.\d+)?%"
        expect(boxes.nth(slot)).to_have_attribute("style", re.compile(style))

    before = picture.get_attribute("src")
    drag((0.601, 0.601), (0.501, 0.401))  # the house
    lies(1, "(40|39)", "(30|29)", "(40|39)")
    expect(told).to_contain_text("the house")
    expect(picture).not_to_have_attribute("src", before)

    drag((0.798, 0.698), (0.899, 0.798))  # by its corner
    lies(1, "(40|39)", "(30|29)", "(50|49)")
    layout.press("Space")
    expect(told).to_contain_text("the sun")
    for _ in range(4):
        layout.press("ArrowRight")
    lies(0, "(16|17)", "(10|9)", "(30|29)")
    layout.press("Shift+ArrowRight")
    lies(0, "(16|17)", "(10|9)", "(31|32)")

    before = picture.get_attribute("src")
    explorer.get_by_role("button", name="tree", exact=True).click()
    expect(told).to_contain_text("the tree")
    expect(picture).not_to_have_attribute("src", before)
    before = picture.get_attribute("src")
    explorer.get_by_role("button", name="Another style").click()
    expect(picture).not_to_have_attribute("src", before)
    layout.press("Delete")
    expect(told).to_contain_text("1 of 3 objects; chosen: the house")
    explorer.get_by_role("button", name="Add").click()
    expect(told).to_contain_text("2 of 3 objects")
    lies(0, "(37|38)", "(37|38)", "(25|24)")
    expect(boxes.nth(0)).to_be_visible()
    lab.screenshot("layout-editor", explorer)
    explorer.get_by_title("Begin with layout 2").click()
    expect(told).to_contain_text("1 of 3 objects; chosen: the tree")
