"""The explorers of translators in JupyterLab: drawn on, wiped, switched; in both themes."""

import io
import re

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from PIL import Image

expect = pytest.importorskip("playwright.sync_api", reason="pip install playwright").expect

SETUP = """
import time
import torch
from gancourse import widgets

ramp = torch.linspace(-1, 1, 32)
photos = torch.stack([ramp.expand(32, 32), ramp[:, None].expand(32, 32), torch.zeros(32, 32)])
photos = torch.stack([photos, photos.flip(0), photos.flip(1), -photos])
sketches = torch.ones(3, 1, 32, 32)
for i in range(3):
    sketches[i, 0, 8 * i + 4 : 8 * i + 6, 4:28] = -1
parts = {"sky": (120, 180, 240), "hill": (90, 160, 90), "house": (200, 90, 70)}
parts["<i>"] = (250, 220, 0)

def slowly(images):  # every answer comes later than the pen's next move
    time.sleep(0.2)
    return -images

def dye(images, target):
    return (images + target[:, 2:5, None, None] - target[:, :1, None, None]).clamp(-1, 1)
"""
CELLS = {
    "sketch": "widgets.Canvas(lambda images: -images, examples=sketches, size=32)",
    "map": "widgets.Canvas(slowly, parts, size=32)",
    "wipe": """widgets.BeforeAfter(
    (photos, -photos), lambda x: -x, lambda x: 0.9 * -x, names=("summer", "winter"))""",
    "switches": """widgets.Switches(
    dye, ["dark", "hat", "red", "green", "blue"], photos, labels=torch.eye(5)[:4],
    one_of={"colour": [None, "red", "green", "blue"]})""",
}
WIDEST = 760  # CSS pixels
SCROLLING = """[...document.querySelectorAll(".jp-OutputArea-output, .jp-OutputArea-output *")]
    .filter(e => ["auto", "scroll"].includes(getComputedStyle(e).overflowX) && e.clientWidth
        && (e.scrollWidth > e.clientWidth || e.scrollHeight > e.clientHeight))
    .map(e => [e.className, e.scrollWidth, e.clientWidth, e.scrollHeight, e.clientHeight])"""
# Wait until the answer shows, everywhere, the negative of the pad; tell whether that came.
NEGATIVE = """async explorer => {
    const pad = explorer.querySelector(".gancourse-pad canvas");
    const answer = explorer.querySelector(".gancourse-answer");
    const shown = document.createElement("canvas");
    [shown.width, shown.height] = [pad.width, pad.height];
    const context = shown.getContext("2d");
    context.imageSmoothingEnabled = false;  // one of the pixels that each has become
    const read = c => c.getContext("2d").getImageData(0, 0, pad.width, pad.height).data;
    for (const end = performance.now() + 60_000; performance.now() < end;) {
        try {
            await answer.decode();
            context.drawImage(answer, 0, 0, pad.width, pad.height);
            const [drawn, found] = [read(pad), read(shown)];
            const wrong = (byte, i) => i % 4 < 3 && Math.abs(255 - byte - found[i]) > 1;
            if (!drawn.some(wrong)) return true;
        } catch {}  // a newer picture came meanwhile
        await new Promise(later => setTimeout(later, 50));
    }
    return false;
}"""

pytestmark = pytest.mark.browser


@pytest.fixture
def notebook(tmp_path):
    """Write a notebook with every explorer of translators and nothing to train."""
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in (SETUP, *CELLS.values())]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "translators.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def size(explorer):
    box = explorer.locator("> .widget-vbox").bounding_box()
    return box["width"], box["height"]


def button(explorer, name):
    return explorer.get_by_role("button", name=name, exact=True)


class Pad:
    """What a person does on a drawing pad, and what they see."""

    def __init__(self, lab, explorer):
        self.lab, self.explorer = lab, explorer
        self.canvas = explorer.locator(".gancourse-pad canvas")

    def pixels(self):
        return self.canvas.evaluate("canvas => canvas.toDataURL()")

    def at(self, x, y):
        """Return the colour of a pixel, red, green and blue."""
        read = "(c, [x, y]) => [...c.getContext('2d').getImageData(x, y, 1, 1).data].slice(0, 3)"
        return self.canvas.evaluate(read, [x, y])

    def line(self, start, end):
        """Draw with the mouse; the points are pixels of the pad."""
        box = self.canvas.bounding_box()
        (x, y), there = (
            (box["x"] + (x + 0.5) * box["width"] / 32, box["y"] + (y + 0.5) * box["height"] / 32)
            for x, y in (start, end)
        )
        self.lab.page.mouse.move(x, y)
        self.lab.page.mouse.down()
        self.lab.page.mouse.move(*there, steps=8)
        self.lab.page.mouse.up()

    def wait_for_answer(self):
        """Wait until the network's answer is the one to what is on the pad."""
        assert self.explorer.evaluate(NEGATIVE)


def use_sketch(lab, explorer):
    pad = Pad(lab, explorer)
    pad.wait_for_answer()
    assert pad.at(10, 4) == [0, 0, 0]  # the first example
    start = pad.pixels()
    pad.line((6, 20), (26, 20))
    assert pad.at(16, 20) == [0, 0, 0] and pad.at(16, 23) == [255, 255, 255]
    pad.wait_for_answer()
    drawn = pad.pixels()

    button(explorer, "eraser").click()
    pad.line((16, 16), (16, 24))
    assert pad.at(16, 20) == [255, 255, 255]
    for shown in (drawn, start):
        button(explorer, "Undo").click()
        expect_pixels(lab, pad, shown)
    pad.wait_for_answer()

    button(explorer, "pen").click()
    pad.canvas.focus()
    for key in ("ArrowRight", "Space", "ArrowDown", "Shift+ArrowRight", "Space", "ArrowDown"):
        lab.page.keyboard.press(key)
    row = [pad.at(x, 25)[0] for x in range(32)]  # the mouse has left the pen at (16, 24)
    assert row == [255] * 17 + [0] * 9 + [255] * 6
    assert pad.at(25, 26) == [255, 255, 255]  # the pen had been lifted
    pad.wait_for_answer()
    lab.page.keyboard.press("Control+z")
    expect_pixels(lab, pad, start)

    example = button(explorer, "Load example 3")
    example.focus()
    lab.page.keyboard.press("Enter")
    lab.page.wait_for_function("([c, s]) => c.toDataURL() !== s", arg=[handle(pad), start])
    assert pad.at(10, 20) == [0, 0, 0]
    pad.wait_for_answer()
    button(explorer, "Undo").click()
    expect_pixels(lab, pad, start)
    button(explorer, "Clear").click()
    lab.page.wait_for_function("([c, s]) => c.toDataURL() !== s", arg=[handle(pad), start])
    assert pad.at(10, 4) == [255, 255, 255]
    pad.line((4, 28), (28, 12))
    pad.wait_for_answer()


def handle(pad):
    return pad.canvas.element_handle()


def expect_pixels(lab, pad, expected):
    lab.page.wait_for_function("([c, s]) => c.toDataURL() === s", arg=[handle(pad), expected])


def use_map(lab, explorer):
    pad = Pad(lab, explorer)
    start = pad.pixels()
    pad.line((4, 28), (28, 28))
    assert pad.at(16, 28) == [90, 160, 90]  # a hill
    hill = pad.pixels()
    button(explorer, "house").click()
    pad.line((16, 20), (16, 24))
    assert pad.at(16, 22) == [200, 90, 70]
    colours = pad.canvas.evaluate(
        "c => new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, 32, 32).data.buffer))"
        ".size"
    )
    assert colours == 3  # there is no colour between the parts
    button(explorer, "Undo").click()  # while the network is still at work
    expect_pixels(lab, pad, hill)
    pad.wait_for_answer()
    button(explorer, "Undo").click()
    button(explorer, "Undo").click()  # one more than there is
    expect_pixels(lab, pad, start)
    pad.wait_for_answer()
    button(explorer, "<i>").click()
    pad.line((24, 6), (25, 6))  # at once, with the network still at work
    assert pad.at(25, 6) == [250, 220, 0]
    pad.wait_for_answer()


def use_wipe(lab, explorer):
    large = explorer.locator(".widget-vbox:has(> .widget-image)").first
    trip = explorer.locator(".gancourse-board").first
    moving = lab.slider(explorer, "Wipe")
    lab.after(large, lambda: moving.press("ArrowRight"))
    expect(explorer.get_by_text("51 % translation")).to_be_visible()
    lab.after(large, lambda: lab.drag(moving, 60))
    way_back = button(explorer, "way back")
    way_back.focus()
    lab.after(large, lambda: lab.page.keyboard.press("Enter"))
    expect(explorer.get_by_text("100 % way back")).to_be_visible()
    lab.after(trip, lambda: button(explorer, "summer 3").click())
    expect(explorer.get_by_role("status")).to_contain_text(
        re.compile(r"Way back to summer: off by \d+\.\d of 255 levels")
    )
    lab.after(trip, lambda: button(explorer, "winter → summer").click())
    expect(explorer.get_by_role("status")).to_contain_text("Way back to winter")
    lab.after(trip, lambda: button(explorer, "winter 2").click())
    lab.after(large, lambda: button(explorer, "translation").click())
    lab.after(large, lambda: lab.drag(moving, -40))


def use_switches(lab, explorer):
    pictures = explorer.locator(".widget-vbox:has(> .gancourse-switch)")
    before, after = pictures.first, pictures.last
    status = explorer.get_by_role("status")
    lab.after(after, lambda: explorer.get_by_label("dark").click())
    expect(explorer.get_by_label("colour").locator("option:checked")).to_have_text("as it is")
    lab.after(after, lambda: explorer.get_by_label("colour").select_option("red"))
    lab.after(before, lambda: button(explorer, "Picture 4").click())
    expect(explorer.get_by_label("colour")).to_have_value("green")
    lab.after(after, lambda: press(lab, explorer.get_by_label("dark"), "Space"))
    lab.after(after, lambda: button(explorer, "Reset").click())
    expect(explorer.get_by_label("dark")).not_to_be_checked()

    chooser, told = explorer.locator("input[type=file]"), explorer.get_by_role("alert")
    with lab.page.expect_file_chooser():
        press(lab, button(explorer, "Open a picture …"), "Enter")
    text = {"name": "notes.png", "mimeType": "image/png", "buffer": b"not a picture"}
    chooser.set_input_files(text)
    expect(told).to_contain_text("notes.png cannot be read")
    huge = {"name": "huge.jpg", "mimeType": "image/jpeg", "buffer": bytes(9_100_000)}
    chooser.set_input_files(huge)
    expect(told).to_contain_text("huge.jpg has 9.1 MB")
    button(explorer, "Your picture").click()
    expect(explorer.get_by_text("there is no picture of your own yet")).to_be_visible()
    photo = {"name": "me <3.jpg", "mimeType": "image/jpeg", "buffer": turned_photo()}
    (shown,) = lab.after(before, lambda: chooser.set_input_files(photo))
    expect(explorer.get_by_text("me <3.jpg, cropped to its middle")).to_be_visible()
    expect(told).not_to_be_visible()
    assert shown in lab.pictures(before)
    lab.after(after, lambda: explorer.get_by_label("dark").click())
    expect(status).to_contain_text(re.compile(r"The answer is \d+\.\d of 255 levels"))


def press(lab, control, key):
    control.focus()
    lab.page.keyboard.press(key)


def turned_photo():
    """Return a photograph, red above blue once it is turned as its EXIF tag says."""
    photo = Image.new("RGB", (60, 40), "blue")
    photo.paste("red", (0, 0, 30, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn to the right
    data = io.BytesIO()
    photo.save(data, "JPEG", exif=exif)
    return data.getvalue()


USES = {"sketch": use_sketch, "map": use_map, "wipe": use_wipe, "switches": use_switches}


def test_every_explorer_of_translators_answers_to_mouse_and_keyboard(lab, notebook):
    lab.open(notebook)
    assert lab.run_all() == []
    for number, (name, use) in enumerate(USES.items()):
        explorer = lab.explorer(number, pictures=1)
        explorer.locator(".gancourse-pad canvas, .gancourse-board").first.wait_for()
        assert size(explorer)[0] <= WIDEST
        use(lab, explorer)
        lab.screenshot(f"{name}-light", explorer)
    assert lab.page.evaluate(SCROLLING) == []
    for width in (620, 800):
        lab.resize(width)
        assert lab.page.evaluate(SCROLLING) == [], width
    for number, name in enumerate(USES):
        lab.screenshot(f"{name}-narrow", lab.explorer(number, pictures=1))
    lab.resize(1200)
    lab.theme("Dark")
    for number, name in enumerate(USES):
        lab.screenshot(f"{name}-dark", lab.explorer(number, pictures=1))
    lab.theme("Light")


def test_run_in_a_batch_each_explorer_of_translators_is_a_picture(lab, notebook):
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
        assert text.count("A still picture. Run this cell to") == len(CELLS)
