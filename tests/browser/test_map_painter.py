"""The map painter in JupyterLab: painted with the mouse, by touch and by keys, in a taken style."""

import re

import nbformat
import pytest

expect = pytest.importorskip("playwright.sync_api", reason="pip install playwright").expect

CELL = """
import torch
from gancourse import widgets

palette = {"sky": (200, 220, 255), "meadow": (120, 200, 90), "house": (150, 70, 50)}
shades = torch.tensor([-0.6, 0.0, 0.6])
widgets.MapPainter(
    lambda maps, z: (shades[maps][:, None] + 0.2 * z[:, :1, None, None]).expand(-1, 3, -1, -1)
    .clamp(-1, 1),
    lambda pictures: pictures.mean((2, 3))[:, :2],
    palette,
    torch.stack([torch.zeros(16, 16), torch.ones(16, 16)]).long(),
    {"dark": torch.full((3, 8, 8), -0.8), "bright": torch.full((3, 8, 8), 0.8)},
)
"""

pytestmark = pytest.mark.browser


@pytest.fixture
def notebook(tmp_path):
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "painter.ipynb"
    cells = [nbformat.v4.new_code_cell(CELL.strip())]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def test_the_painter_answers_to_mouse_touch_and_keyboard(lab, notebook):
    lab.open(notebook)
    assert lab.run_all() == []
    explorer = lab.explorer(0, pictures=1)
    pad, plane = explorer.locator(".gancourse-pad canvas"), explorer.locator(".gancourse-dial")
    answer, told = explorer.locator(".gancourse-answer"), explorer.get_by_role("status")
    expect(told).to_contain_text("dark")

    def changed(act):
        before = None
        while before != answer.get_attribute("src"):  # the answer to the last act may come late
            before = answer.get_attribute("src")
            lab.page.wait_for_timeout(500)
        act()
        expect(answer).not_to_have_attribute("src", before)

    box = pad.bounding_box()
    x, y, side = box["x"], box["y"], box["width"]

    def with_the_mouse():
        lab.page.mouse.move(x + 0.2 * side, y + 0.2 * side)
        lab.page.mouse.down()
        lab.page.mouse.move(x + 0.6 * side, y + 0.3 * side, steps=4)
        lab.page.mouse.up()

    def with_a_finger():
        explorer.get_by_role("button", name="house").click()
        at = {"clientX": x + 0.5 * side, "clientY": y + 0.8 * side}
        finger = at | {"pointerId": 7, "pointerType": "touch", "isPrimary": True, "button": 0}
        pad.evaluate("canvas => (canvas.setPointerCapture = () => {})")  # of a made-up finger
        for kind in ("pointerdown", "pointerup"):
            pad.dispatch_event(kind, finger)

    def with_the_keyboard():
        pad.focus()
        for key in ("Space", "Shift+ArrowRight", "Space"):
            lab.page.keyboard.press(key)

    for act in (with_the_mouse, with_a_finger, with_the_keyboard):
        changed(act)
    changed(lambda: lab.page.keyboard.press("Control+z"))
    changed(lambda: explorer.get_by_title("take the style: bright").click())
    expect(told).to_contain_text("bright, 0.00 away")
    changed(lambda: plane.press("Shift+ArrowLeft"))
    ring = plane.locator(".gancourse-ring")
    expect(ring).to_have_attribute("style", re.compile(r"left: \d+"))
    before = plane.locator("img").get_attribute("src")
    explorer.get_by_title("Draw the plane with the map on the pad").click()
    expect(plane.locator("img")).not_to_have_attribute("src", before)
    lab.screenshot("map-painter", explorer)
