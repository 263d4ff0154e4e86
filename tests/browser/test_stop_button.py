"""The stop button of JupyterLab, in the middle of a training."""

import nbformat
import pytest

pytest.importorskip("playwright.sync_api", reason="pip install playwright")

BUILD = """
from gancourse.data import load
from gancourse.gans import vanilla
from gancourse.training import progress, start, train

progress.Notebook.seconds_between_pictures = 0.5
run = start("cpu", 0)
gan = vanilla.build(vanilla.PLANE["laptop"], run)
"""
TRAIN = """
history = train(
    gan, vanilla.train_step, load("ring"), run, steps=1_000_000, sample_every=50, log_every=10,
    sample=vanilla.sample,
)
"""
AFTER = "print('sampled', *vanilla.sample(gan, 3).shape, history.steps[-1] == gan.step)"

pytestmark = pytest.mark.browser


def test_the_stop_button_ends_a_training_that_can_be_sampled_and_continued(lab, tmp_path):
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in (BUILD, TRAIN, AFTER)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "stop.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    lab.open(path)
    lab.page.evaluate("() => void jupyterapp.commands.execute('notebook:run-all-cells')")
    outputs = lab.page.locator(".jp-OutputArea-output")
    outputs.locator("img").first.wait_for()  # the live picture
    lab.screenshot("training")
    lab.do("notebook:interrupt-kernel")
    outputs.get_by_text("run this cell again to go on").wait_for()
    outputs.get_by_text("sampled 3 2 True").wait_for()
    lab.screenshot("stopped")
    assert outputs.locator("img").count() == 1  # one picture, which was updated
    assert "Traceback" not in lab.page.locator(".jp-NotebookPanel-notebook").inner_text()
