"""The instance switch in JupyterLab: clicked, tapped, and reached with Tab."""

import nbformat
import pytest

expect = pytest.importorskip("playwright.sync_api", reason="pip install playwright").expect

CELL = """
import torch
from gancourse import widgets

masks = torch.zeros(2, 2, 16, 16)
masks[0, 0, 2:6, 2:6] = masks[0, 1, 9:14, 8:12] = masks[1, 0, 4:8, 8:12] = 1

def painted(images, masks, direction):
    return torch.where(masks.amax(1, keepdim=True) > 0, -images, images), masks

widgets.InstanceSwitch(painted, torch.full((2, 3, 16, 16), 0.6), masks, ("round tree", "fir"))
"""

pytestmark = pytest.mark.browser


@pytest.fixture
def notebook(tmp_path):
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "instances.ipynb"
    cells = [nbformat.v4.new_code_cell(CELL.strip())]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def test_trees_answer_to_mouse_and_keyboard(lab, notebook):
    lab.open(notebook)
    assert lab.run_all() == []
    explorer = lab.explorer(0, pictures=1)
    board, told = explorer.locator(".gancourse-instances"), explorer.get_by_role("status")
    first, second = board.get_by_role("button").all()
    picture = board.locator("img")
    before = picture.get_attribute("src")

    first.click()
    expect(told).to_contain_text("1 is now a fir")
    expect(first).to_have_attribute("aria-pressed", "true")
    expect(second).to_have_attribute("aria-pressed", "false")
    expect(picture).not_to_have_attribute("src", before)

    first.focus()
    lab.page.keyboard.press("Tab")
    expect(second).to_be_focused()
    lab.page.keyboard.press("Enter")
    expect(told).to_contain_text("2 is now a fir")
    expect(second).to_be_focused()  # the button stays while the picture changes
    lab.page.keyboard.press("Space")
    expect(told).to_contain_text("2 is now a round tree")

    for _ in range(3):
        explorer.get_by_role("button", name="Undo").click()
    expect(first).to_have_attribute("aria-pressed", "false")
    every = explorer.get_by_role("button", name="All, in another order")
    every.click()
    expect(told).to_contain_text("in the order")
    every.click()
    expect(told).to_contain_text("0.00000 of 255")
    explorer.get_by_title("scene 2", exact=True).click()
    expect(board.get_by_role("button")).to_have_count(1)
    lab.screenshot("instance-switch", explorer)
