"""The progress of a run, in a terminal and in a notebook."""

import nbformat
import pytest
from nbclient import NotebookClient

from gancourse.training import progress
from gancourse.training.history import History

CELL = """
from dataclasses import replace
from gancourse.data.mixtures import ring
from gancourse.gans import vanilla
from gancourse.training import start, track, train
from gancourse.training import progress
progress.Notebook.seconds_between_pictures = 0
run = start("cpu", 0)
cfg = replace(vanilla.PLANE["smoke"], steps=40)
for i in track(range(3), "seed"):
    pass
history = train(vanilla.build(cfg, run), vanilla.train_step, ring(), run, sample=vanilla.sample)
"""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")],
)
def test_durations_are_given_in_two_units_at_most(seconds, text):
    assert progress.duration(seconds) == text


def test_a_terminal_gets_a_line_for_each_twentieth(capsys):
    view, history = progress.make_view(0, 1000), History()
    for step in range(10, 1001, 10):
        history.add(step, 0.0, {"D/adv": 1.25})
        view.update(step, history)
    view.close(1000, history)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 20
    assert lines[0].startswith("step 50 of 1,000") and "D/adv 1.250" in lines[0]
    assert "left" in lines[0] and "left" not in lines[-1]


def test_a_quiet_run_prints_nothing(capsys):
    view = progress.make_view(0, 10, quiet=True)
    view.update(10, History())
    view.close(5, History())
    assert capsys.readouterr().out == ""


def test_track_yields_every_item_and_prints_how_many_are_done(capsys):
    assert list(progress.track("abc", "letter")) == ["a", "b", "c"]
    assert capsys.readouterr().out.splitlines()[-1].startswith("letter 3 of 3")


def test_an_executed_notebook_holds_one_bar_and_one_picture_a_run():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    NotebookClient(notebook, timeout=120).execute()
    outputs = notebook.cells[0].outputs
    assert [output.output_type for output in outputs] == ["display_data"] * 3
    tracked, bar, picture = (output.data for output in outputs)
    assert tracked["text/plain"].startswith("seed 3 of 3")
    assert "step 40 of 40" in bar["text/plain"] and "D/adv" in bar["text/html"]
    assert "image/png" in picture and len(picture["image/png"]) < 150_000
