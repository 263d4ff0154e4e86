"""Where somebody can use it an explorer is live; everywhere else it is a picture."""

import json
from types import SimpleNamespace

import ipywidgets
import matplotlib.pyplot as plt
import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from gancourse.widgets import explorer
from gancourse.widgets.explorer import CAPTION, WIDGET_VIEW, Explorer

CELL = """
import torch
from gancourse import widgets

record = {"samples": torch.zeros(4, 2), "heat": torch.full((4, 4), 0.5)}
widgets.Scrubber([(0, record), (9, record)], torch.ones(4, 2))
"""


class Tiny(Explorer):
    summary = "nothing to see"

    def build(self):
        self.slider = ipywidgets.IntSlider()
        self.drawn = []
        self.follow(self.slider)
        return self.stacked([self.slider], 300)

    def update(self):
        if self.slider.value == 13:
            raise ValueError("13 < 14")
        self.drawn.append(self.slider.value)

    def still(self):
        return plt.Figure(figsize=(1, 1))


@pytest.fixture(scope="module")
def executed():
    """Execute a notebook as papermill, nbconvert and nbval do."""
    cell = nbformat.v4.new_code_cell(CELL)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    return notebook


@pytest.fixture
def shown(monkeypatch):
    """Collect what is displayed."""
    bundles = []
    monkeypatch.setattr(explorer, "display", lambda data, **_: bundles.append(data))
    return bundles


def pretend_request(monkeypatch, **content):
    """Let the running cell seem to come from a front end that sent this."""
    kernel = SimpleNamespace(get_parent=lambda: {"content": content})
    monkeypatch.setattr(explorer, "get_ipython", lambda: SimpleNamespace(kernel=kernel))


def test_batch_execution_leaves_a_picture_its_caption_and_no_widget(executed):
    picture, caption = executed.cells[0].outputs
    assert {"image/png", "text/plain"} == set(picture.data)
    assert picture.data["text/plain"].startswith("The plane at 2 of 2 recorded steps")
    assert CAPTION in caption.data["text/markdown"]


def test_batch_execution_stores_no_widget_state(executed):
    assert "widgets" not in executed.metadata
    assert WIDGET_VIEW not in json.dumps(executed)


def test_html_export_shows_the_picture_and_its_caption(executed):
    page, _ = HTMLExporter(embed_images=True).from_notebook_node(executed)
    assert executed.cells[0].outputs[0].data["image/png"].strip() in page.replace("\n", "")
    assert CAPTION in page


@pytest.mark.parametrize(
    "content, there",
    [({"allow_stdin": True}, True), ({"allow_stdin": False}, False), ({}, False)],
)
def test_is_interactive_when_the_front_end_can_answer_questions(monkeypatch, content, there):
    pretend_request(monkeypatch, **content)
    assert explorer.is_interactive() is there


def test_nobody_is_there_outside_a_notebook():
    assert explorer.is_interactive() is False


def test_live_display_is_the_picture_and_then_the_widget(monkeypatch, shown):
    pretend_request(monkeypatch, allow_stdin=True)
    tiny = Tiny()
    tiny._ipython_display_()
    still, live = shown
    assert "data:image/png;base64," in still["text/html"]
    assert f'alt="{tiny.summary}"' in still["text/html"]
    widget = ipywidgets.widgets.widget._instances[live[WIDGET_VIEW]["model_id"]]
    assert tiny.ui in widget.children
    assert "gancourse-live" in widget._dom_classes


def test_each_display_hides_its_own_picture_alone(monkeypatch, shown):
    pretend_request(monkeypatch, allow_stdin=True)
    tiny = Tiny()
    for _ in range(2):
        tiny._ipython_display_()
    first, second = (
        html["text/html"].split('<div class="')[1].split('"')[0] for html in shown[::2]
    )
    assert first != second
    for name, view in zip((first, second), shown[1::2], strict=True):
        widget = ipywidgets.widgets.widget._instances[view[WIDGET_VIEW]["model_id"]]
        assert f".{name} {{ display: none; }}" in widget.children[0].value


def test_no_widget_is_made_where_nobody_is(shown):
    tiny = Tiny()
    before = len(ipywidgets.widgets.widget._instances)
    tiny._ipython_display_()
    assert len(ipywidgets.widgets.widget._instances) == before
    assert list(shown[0]) == ["image/png", "text/plain"]


def test_what_goes_wrong_while_a_slider_moves_is_said_beside_it_until_it_works_again():
    tiny = Tiny()
    tiny.ui  # noqa: B018 - makes the slider
    tiny.slider.value = 13
    assert "ValueError: 13 &lt; 14" in tiny.problem.value
    tiny.slider.value = 14
    assert tiny.problem.value == ""


def test_controls_moved_together_are_drawn_once():
    tiny = Tiny()
    tiny.ui  # noqa: B018
    with tiny.together():
        tiny.slider.value = 1
        tiny.slider.value = 2
    assert tiny.drawn == [2]
