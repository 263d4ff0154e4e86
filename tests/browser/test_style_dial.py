"""The style dial in JupyterLab: dragged, moved by keys, and put where a picture's style is."""

import re

import nbformat
import pytest

expect = pytest.importorskip("playwright.sync_api", reason="pip install playwright").expect

CELL = """
import torch
from gancourse import widgets

names = ("red", "green", "blue")
colours = dict(zip(names, 1.6 * torch.eye(3).view(3, 3, 1, 1).expand(-1, -1, 8, 8) - 0.8))
widgets.StyleDial(
    lambda images, z: (z[:, :, None, None] / 3 + images / 2).expand(-1, -1, 8, 8).clamp(-1, 1),
    lambda pictures: pictures.mean((2, 3)),
    torch.rand(2, 1, 8, 8) - 0.5,
    colours,
)
"""

pytestmark = pytest.mark.browser


@pytest.fixture
def notebook(tmp_path):
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "dial.ipynb"
    cells = [nbformat.v4.new_code_cell(CELL.strip())]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def test_the_dial_answers_to_mouse_and_keyboard(lab, notebook):
    lab.open(notebook)
    assert lab.run_all() == []
    explorer = lab.explorer(0, pictures=1)
    dial, told = explorer.locator(".gancourse-dial"), explorer.get_by_role("status")
    output, ring = explorer.locator(".gancourse-styled"), dial.locator(".gancourse-ring")
    expect(told).to_contain_text("red")

    def at(x, y):
        style = re.compile(rf"left: {x}(\.\d+)?%; top: {y}(\.\d+)?%")
        expect(ring).to_have_attribute("style", style)

    box = dial.bounding_box()
    x, y, side = box["x"], box["y"], box["width"]
    lab.page.mouse.move(x + 0.5 * side, y + 0.5 * side)
    lab.page.mouse.down()
    lab.page.mouse.move(x + 0.802 * side, y + 0.302 * side, steps=5)
    lab.page.mouse.up()
    at(80, 30)
    lab.page.mouse.move(x + 0.1 * side, y + 0.9 * side)  # the button is up
    at(80, 30)
    before = output.get_attribute("src")
    for _ in range(2):
        dial.press("Shift+ArrowLeft")
    dial.press("ArrowDown")
    at(60, 32)
    expect(output).not_to_have_attribute("src", before)
    dial.press("Home")
    at(50, 50)

    for name in ("blue", "green"):
        explorer.get_by_title(f"take the style: {name}").focus()
        lab.page.keyboard.press("Enter")
        expect(told).to_contain_text(f"{name}, 0.00 away")
    before = dial.locator("img").get_attribute("src")
    explorer.get_by_title("input 2", exact=True).click()
    expect(dial.locator("img")).not_to_have_attribute("src", before)
    expect(told).to_contain_text("green, 0.00 away")
    lab.screenshot("style-dial", explorer)
