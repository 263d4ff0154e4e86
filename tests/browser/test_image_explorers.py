"""The explorers of images in JupyterLab, by mouse and by keyboard, in both themes."""

import io
import re

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from PIL import Image

from gancourse.widgets import arithmetic, interpolation

expect = pytest.importorskip("playwright.sync_api", reason="pip install playwright").expect

SETUP = """
import torch
from torch import nn
from gancourse import widgets

torch.manual_seed(0)
netG = nn.Sequential(nn.Linear(8, 192), nn.Unflatten(1, (3, 8, 8)), nn.Upsample(scale_factor=8))
classes = torch.randn(4, 8)

class Noise:
    latent_dim = 8

    def draw_z(self, n, seed):
        return 2 * torch.rand(n, 8, generator=torch.Generator().manual_seed(seed)) - 1

    def __call__(self, z):
        return netG(z)

noise = Noise()

def brightness(images):
    return {"bright": images.mean((1, 2, 3)) > 0, "red": images[:, 0].mean((1, 2)) > 0}
"""
CELLS = {
    "interpolation": "widgets.Interpolation(noise)",
    "mixer": """widgets.ClassStyleMixer(
    noise, ["cat", "dog", "owl", "bee"], generate=lambda z, shares: netG(z + shares @ classes))""",
    "arithmetic": """widgets.Arithmetic(
    noise, groups=("a", "b", "c"), suggest=([0, 1, 2], [3, 4, 5], [6, 7]))""",
    "forgetting": """widgets.Forgetting(
    noise, lambda z, drop: netG(z * ~drop), {"bright": range(8), "red": [3, 2]},
    detect=brightness)""",
}
WIDEST = 760  # CSS pixels
LARGE = ".widget-hbox:has(> .widget-image), .widget-vbox:has(> .widget-image)"
SCROLLING = """[...document.querySelectorAll(".jp-OutputArea-output, .jp-OutputArea-output *")]
    .filter(e => ["auto", "scroll"].includes(getComputedStyle(e).overflowX) && e.clientWidth
        && (e.scrollWidth > e.clientWidth || e.scrollHeight > e.clientHeight))
    .map(e => [e.className, e.scrollWidth, e.clientWidth, e.scrollHeight, e.clientHeight])"""

pytestmark = pytest.mark.browser


@pytest.fixture
def notebook(tmp_path):
    """Write a notebook with every explorer of images and nothing to train."""
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in (SETUP, *CELLS.values())]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "images.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def size(explorer):
    box = explorer.locator("> .widget-vbox").bounding_box()
    return box["width"], box["height"]


def gap(board, columns):
    """Return the grey value, 0 to 255, of the page between the last two pictures of a board."""
    picture = Image.open(io.BytesIO(board.screenshot())).convert("L")
    pitch = picture.width / columns
    return picture.getpixel((picture.width - round(pitch), picture.height - round(pitch / 2)))


def button(explorer, name):
    return explorer.get_by_role("button", name=name, exact=True)


def face(explorer, index):
    """Find a face of the board; its name ends with its group's letter, its tooltip does not."""
    return explorer.get_by_title(f"face {index}", exact=True)


def press(lab, cell):
    """Press Enter on a picture."""
    cell.focus()
    lab.page.keyboard.press("Enter")


def use_interpolation(lab, explorer):
    large, strip = explorer.locator(LARGE), explorer.locator(".gancourse-board")
    readout = explorer.locator(".widget-readout")
    handle = lab.slider(explorer, "t")
    lab.after(large, lambda: handle.press("ArrowRight"))
    lab.after(large, lambda: lab.drag(handle, -80))
    lab.after(large, lambda: button(explorer, "t = 0.25").click())
    expect(readout).to_have_text("0.25")
    lab.after(large, lambda: press(lab, button(explorer, "t = 1")))
    expect(readout).to_have_text("1.00")
    lab.after(strip, lambda: button(explorer, "New").first.click())
    lab.after(strip, lambda: button(explorer, "Linear").click())
    expect(explorer.get_by_role("img", name="Length of z along the walk")).to_be_visible()
    explorer.locator(".widget-play button").first.click()
    expect(readout).not_to_have_text("1.00")
    explorer.locator(".widget-play button").nth(1).click()  # stop

    saved = lab.server.root / "walk-2-1-linear.gif"
    button(explorer, "Save GIF").click()
    link = explorer.get_by_role("link", name="Download")
    with lab.page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == saved.name
    assert download.value.path().read_bytes() == saved.read_bytes()
    assert Image.open(saved).n_frames == 80


def use_mixer(lab, explorer):
    large = explorer.locator(LARGE)
    caption = explorer.get_by_role("status")
    lab.after(large, lambda: button(explorer, "class owl, style 2").click())
    expect(caption).to_have_text("class owl, style 2")
    lab.after(large, lambda: press(lab, button(explorer, "mix, style 4")))
    expect(caption).to_have_text("50 % cat, 50 % dog, style 4")
    lab.after(explorer, lambda: lab.slider(explorer, "Share").press("ArrowRight"))
    expect(caption).to_have_text("45 % cat, 55 % dog, style 4")
    lab.after(explorer, lambda: lab.drag(lab.slider(explorer, "Move"), 60))
    lab.after(explorer, lambda: button(explorer, "New styles").click())


def use_arithmetic(lab, explorer):
    board, faces, means, total = explorer.locator(".gancourse-board").all()
    lab.after(total, lambda: face(explorer, 0).click())  # out of A
    expect(board.locator(".gancourse-a")).to_have_count(2)
    button(explorer, "B: b").click()
    lab.after(means, lambda: press(lab, face(explorer, 47)))  # in place of the oldest
    expect(board.locator(".gancourse-b")).to_have_count(3)
    expect(face(explorer, 3)).not_to_have_class(re.compile("gancourse-b"))
    button(explorer, "Clear").click()
    expect(total).not_to_be_visible()
    expect(explorer.get_by_role("status")).to_contain_text("choose a face or more for A (a) and")
    expect(faces.locator(".gancourse-empty")).to_have_count(9)
    for index, name in enumerate("abc"):
        button(explorer, f"{name.upper()}: {name}").click()
        face(explorer, index).click()
    expect(total).to_be_visible()


def use_forgetting(lab, explorer):
    before, after = explorer.locator(".gancourse-board").all()
    table = explorer.get_by_role("status")
    expect(table).to_contain_text(re.compile(r"bright\s*100 → \d+ %"))
    lab.after(after, lambda: lab.slider(explorer, "Drop").press("Home"))
    lab.after(after, lambda: lab.slider(explorer, "Drop").press("End"))
    expect(explorer.get_by_text("% = 8 of 8 filters")).to_be_visible()
    lab.after(after, lambda: button(explorer, "red").click())
    lab.after(before, lambda: button(explorer, "New faces").click())


USES = {
    "interpolation": use_interpolation,
    "mixer": use_mixer,
    "arithmetic": use_arithmetic,
    "forgetting": use_forgetting,
}


def test_every_explorer_answers_to_mouse_and_keyboard_and_keeps_its_size(lab, notebook):
    lab.open(notebook)
    assert lab.run_all() == []
    for number, (name, use) in enumerate(USES.items()):
        explorer = lab.explorer(number, pictures=1)
        before = size(explorer)
        assert before[0] <= WIDEST
        use(lab, explorer)
        assert size(explorer) == before, name
        lab.screenshot(f"{name}-light", explorer)
    assert lab.page.evaluate(SCROLLING) == []
    lab.resize(800)
    assert lab.page.evaluate(SCROLLING) == []
    lab.resize(1200)

    lab.page.mouse.move(0, 0)  # what it is over has a frame
    boards = [lab.explorer(i, 1).locator(".gancourse-board").first for i in range(4)]
    columns = (interpolation.STRIP, 5, arithmetic.COLUMNS, 3)
    assert min(gap(*pair) for pair in zip(boards, columns, strict=True)) > 240
    lab.theme("Dark")
    assert max(gap(*pair) for pair in zip(boards, columns, strict=True)) < 40
    for number, name in enumerate(USES):
        lab.screenshot(f"{name}-dark", lab.explorer(number, pictures=1))
    lab.theme("Light")


def test_run_in_a_batch_each_explorer_is_a_picture_in_the_lab_and_in_html(lab, notebook):
    executed = nbformat.read(notebook, 4)
    NotebookClient(executed, kernel_name="python3").execute()
    batch, html = notebook.with_name("batch.ipynb"), notebook.with_suffix(".html")
    nbformat.write(executed, batch)
    html.write_text(HTMLExporter().from_notebook_node(executed)[0], encoding="utf-8")
    for open_ in (lambda: lab.open(batch), lambda: lab.page.goto(html.as_uri())):
        open_()
        pictures = lab.page.locator(".jp-OutputArea-output img").filter(visible=True)
        expect(pictures).to_have_count(len(CELLS))
        text = lab.page.locator("body").inner_text()
        assert text.count("Run this cell to move the sliders") == len(CELLS)
