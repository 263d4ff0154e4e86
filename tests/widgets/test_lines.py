"""The explorer of two parallel lines moves the fakes where the slider and the gradients say."""

import io
import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from gancourse import metrics
from gancourse.errors import CourseError
from gancourse.widgets import ParallelLines, line_distances


@pytest.mark.parametrize("theta", [-1.0, 0.0, 0.25])
def test_the_distances_are_those_of_points_on_the_lines(theta):
    y = (torch.arange(64) + 0.5) / 64
    real = torch.stack([torch.zeros(64), y], 1)
    fake = torch.stack([torch.full((64,), theta), y.flip(0)], 1)
    wasserstein, js = line_distances(theta)
    assert wasserstein == pytest.approx(metrics.wasserstein(real, fake)[0])
    p, q = torch.zeros(2, 64), torch.zeros(2, 64)  # cells at 0 and at theta
    p[0] = q[1 if theta else 0] = 1
    assert js == pytest.approx(metrics.numeric_jsd(p, q, 1 / 64))


def test_a_step_by_w_leads_to_the_real_line_and_one_by_js_nowhere():
    tool = ParallelLines(0.6)
    tool.ui  # noqa: B018 - makes the widget
    tool.step(1)
    assert tool.theta.value == pytest.approx(0.6)
    assert "nothing moves" in tool.told.value
    for _ in range(3):
        tool.step(0)
    assert tool.theta.value == pytest.approx(0, abs=1e-9)
    assert "W = 0.00" in tool.told.value and "JS = 0.000" in tool.told.value
    tool.put_back()
    assert tool.theta.value == pytest.approx(0.6)
    assert f"JS = {math.log(2):.3f}" in tool.told.value
    assert tool.problem.value == ""


def test_the_picture_follows_the_slider():
    tool = ParallelLines(0.6)
    tool.ui  # noqa: B018
    first = np.asarray(Image.open(io.BytesIO(tool.image.value)))
    tool.theta.value = -1.2
    second = np.asarray(Image.open(io.BytesIO(tool.image.value)))
    assert first.shape == second.shape and (first != second).any()
    tool.still()  # another figure: what the slider moves is its own
    tool.theta.value = 0.6
    assert (np.asarray(Image.open(io.BytesIO(tool.image.value))) == first).all()


def test_a_move_draws_what_moves_alone(monkeypatch):
    tool = ParallelLines(0.6)
    tool.ui  # noqa: B018
    monkeypatch.setattr(tool.figure, "draw", lambda *_: pytest.fail("the whole figure is drawn"))
    before = tool.image.value
    tool.theta.value = -1.2
    assert tool.problem.value == "" and tool.image.value != before


def test_the_still_picture_has_a_title_above_each_panel():
    figure = ParallelLines().still()
    assert all(ax.get_title(loc="left") for ax in figure.axes) and len(figure.axes) == 3
    assert not plt.get_fignums()


@pytest.mark.parametrize("theta", [2.0, -1.6, math.nan])
def test_a_line_beyond_the_slider_is_refused(theta):
    with pytest.raises(CourseError, match=r"from -1.5 to 1.5"):
        ParallelLines(theta)
