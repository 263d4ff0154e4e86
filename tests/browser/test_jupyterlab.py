"""The explorers in JupyterLab, in a real browser: live with a kernel, a picture without one."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

expect = pytest.importorskip("playwright.sync_api", reason="pip install playwright").expect

LESSON = Path(__file__).parents[2] / "notebooks" / "01_vanilla_gan.ipynb"
SCRUBBER = """
import torch
from gancourse import widgets

angle = torch.arange(8) * torch.pi / 4
real = torch.stack([angle.cos(), angle.sin()], 1)
extent = widgets.extent_of(real)
heat = widgets.plane(extent)[:, 0].sigmoid().reshape(64, 64)
records = [(10 * i, {"samples": i / 9 * real, "heat": heat, "loss_d": i}) for i in range(10)]
widgets.Scrubber(records, real, extent=extent)
"""
LATENT = """
from gancourse.gans import vanilla
from gancourse.trained import TrainedGenerator
from gancourse.training import start

gan = vanilla.build(vanilla.PRESETS["smoke"], start("cpu"))
widgets.LatentExplorer(TrainedGenerator(gan, vanilla))
"""
NO_WIDGET = "Error displaying widget"
# Whatever in an output could scroll, and does.
SCROLLING = """[...document.querySelectorAll(".jp-OutputArea-output, .jp-OutputArea-output *")]
    .filter(e => ["auto", "scroll"].includes(getComputedStyle(e).overflowX) && e.clientWidth
        && (e.scrollWidth > e.clientWidth || e.scrollHeight > e.clientHeight))
    .map(e => [e.className, e.scrollWidth, e.clientWidth, e.scrollHeight, e.clientHeight])"""

pytestmark = pytest.mark.browser


@pytest.fixture
def tiny(tmp_path):
    """Write a notebook with both explorers and nothing to train."""
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in (SCRUBBER, LATENT)]
    cells.append(nbformat.v4.new_code_cell("print('the end')"))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "tiny.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def still_pictures(lab):
    """Return the pictures that stand in the outputs without a widget."""
    return lab.page.locator(".jp-OutputArea-output:not(:has(.gancourse-live)) img").filter(
        visible=True
    )


def assert_only_pictures(lab):
    notebook = lab.page.locator(".jp-NotebookPanel-notebook")
    still_pictures(lab).nth(1).wait_for()
    assert still_pictures(lab).count() == 2
    assert notebook.inner_text().count("Run this cell to move the sliders") == 2
    assert notebook.get_by_text("the end", exact=True).last.is_visible()
    assert notebook.get_by_text(NO_WIDGET).filter(visible=True).count() == 0
    assert lab.page.evaluate(SCROLLING) == []


def move_every_way(lab, explorer, label):
    """Move a slider by keyboard and by mouse; the pictures must be new ones each time."""
    handle = lab.slider(explorer, label)
    start = lab.pictures(explorer)
    keyed = lab.after(explorer, lambda: handle.press("ArrowLeft"))
    dragged = lab.after(explorer, lambda: lab.drag(handle, -60))
    for before, after in ((start, keyed), (keyed, dragged)):
        assert all(a != b for a, b in zip(before, after, strict=True))


def test_explorers_are_live_with_a_kernel_and_pictures_without_one(lab, tiny):
    lab.open(tiny)
    assert lab.run_all() == []
    scrubber, latent = lab.explorer(0, pictures=1), lab.explorer(1, pictures=2)
    move_every_way(lab, scrubber, "Step")
    move_every_way(lab, latent, "Direction 2")
    assert still_pictures(lab).count() == 0  # the live widgets are there in their place
    for width in (1200, 800, 620):
        lab.resize(width)
        assert lab.page.evaluate(SCROLLING) == []

    scrubber.locator(".widget-play button").first.click()
    lab.after(scrubber, lambda: None)  # it plays by itself
    moved = lab.pictures(latent)
    lab.after(latent, lambda: latent.get_by_role("button", name="Reset").click())
    assert lab.pictures(latent) != moved
    assert latent.locator(".widget-readout").all_inner_texts()[:6] == ["+0.0"] * 6

    lab.do("docmanager:save")
    lab.stop_kernel()
    lab.open("tiny.ipynb")  # saved here, so its outputs are trusted; the widgets are gone
    lab.page.get_by_text(NO_WIDGET).nth(1).wait_for(state="attached")  # JupyterLab has given up
    assert_only_pictures(lab)
    lab.screenshot("saved-live")

    notebook = nbformat.read(lab.server.root / "tiny.ipynb", 4)
    notebook.cells[-1].source += "  # written elsewhere"
    nbformat.write(notebook, lab.server.root / "elsewhere.ipynb")
    lab.open("elsewhere.ipynb")  # not trusted
    assert_only_pictures(lab)


def test_a_notebook_that_was_run_in_a_batch_shows_pictures(lab, tiny):
    command = ["nbconvert", "--to", "notebook", "--execute", "--output", "batch", str(tiny)]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
    lab.open(tiny.with_name("batch.ipynb"))
    assert_only_pictures(lab)
    lab.screenshot("batch")


def test_lesson_1_runs_and_its_explorers_answer(lab):
    lab.open(LESSON)
    assert lab.run_all() == []
    live = lab.page.locator(".jp-OutputArea-output .gancourse-live")
    expect(live, f"live explorers in {LESSON.name}").to_have_count(2)
    for number, (name, label) in enumerate((("scrubber", "Step"), ("latent", "Direction 1"))):
        explorer = lab.explorer(number, pictures=number + 1)
        move_every_way(lab, explorer, label)
        lab.screenshot(f"lesson-1-{name}", explorer)
    assert lab.page.evaluate(SCROLLING) == []
