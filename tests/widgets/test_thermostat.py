"""The thermostat follows the paper's controller, and says where the balance is."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from gancourse.errors import CourseError
from gancourse.gans import began
from gancourse.widgets import Thermostat, balance

FACES = {g: torch.full((6, 3, 8, 8), g) for g in (0.5, 0.7, 0.9)}
MODEL = {"alone": 0.3, "gain": 2.0, "lag": 20}


def tool(noise=0.0, **options):
    made = Thermostat(0.3, 2.0, 20, noise, faces=FACES, **options)
    made.ui  # noqa: B018 - makes the widget
    return made


def test_k_is_moved_as_in_the_gan():
    found = balance(0.5, 0.1, **MODEL)
    part = began.Controller(began.Config(gamma=0.5, lambda_k=0.1))
    for step in range(50):
        assert part.k.item() == pytest.approx(found.k[step], abs=1e-6)
        part.update(torch.tensor(0.1), torch.tensor(0.1 * found.ratio[step]))


@pytest.mark.parametrize("gamma", [0.4, 0.6, 0.9])
def test_the_ratio_settles_at_gamma_if_some_k_leads_there(gamma):
    found = balance(gamma, 0.1, **MODEL)
    assert found.ratio[-1] == pytest.approx(gamma, abs=1e-3)
    assert found.k[-1] == pytest.approx((gamma - 0.3) / 2.0, abs=1e-3)


@pytest.mark.parametrize(("gamma", "k", "ratio"), [(0.2, 0.0, 0.3), (3.0, 1.0, 2.3)])
def test_a_gamma_out_of_reach_leaves_k_at_an_end(gamma, k, ratio):
    found = balance(gamma, 1.0, **MODEL)
    assert found.k[-1] == k and found.ratio[-1] == pytest.approx(ratio)


def test_a_fast_controller_swings_and_a_slow_one_is_late():
    fast, slow = (balance(0.6, rate, noise=0.02, **MODEL) for rate in (100.0, 1e-3))
    assert fast.k[-400:].std() > 0.1 > slow.k.max()


def test_the_noise_is_that_of_the_seed():
    one, same, other = (balance(0.5, 0.1, noise=0.1, seed=s, **MODEL) for s in (1, 1, 2))
    assert np.array_equal(one.k, same.k) and not np.array_equal(one.k, other.k)


@pytest.mark.parametrize(
    ("gamma", "rate", "noise", "words"),
    [
        (0.6, 0.1, 0.0, "In balance from step"),
        (0.2, 0.1, 0.0, "stays at 0"),
        (0.6, 1e-3, 0.0, "on its way"),
        (0.6, 100.0, 0.05, "k jumps"),
    ],
)
def test_it_says_where_the_balance_is(gamma, rate, noise, words):
    made = tool(noise)
    made.gamma.value, made.rate.value = gamma, rate
    assert words in made.panel.value and not made.problem.value


def test_it_names_the_step_from_which_on_the_ratio_is_near_gamma():
    made = tool(gamma=0.6)
    found = balance(0.6, 0.1, **MODEL)
    first = int(np.argmax(np.abs(found.ratio - 0.6) < 0.05))
    step = int(re.search(r"from step ([\d,]+) on", made.panel.value)[1].replace(",", ""))
    assert abs(step - first) < 60


def test_the_curves_and_the_faces_follow_the_sliders():
    made = tool(gamma=0.5, told={0.5: "nearly one face"})
    curves, faces = made.curves.value, made.board.image.value
    assert "nearly one face" in made.title.value
    made.gamma.value = 0.85
    assert made.curves.value != curves and made.board.image.value != faces
    assert "γ = 0.9" in made.title.value
    made.put_back()
    assert made.curves.value == curves and made.board.image.value == faces


def test_the_first_k_is_the_slider_s():
    made = tool()
    made.first.value = 1.0
    assert made.curves.value != tool().curves.value and not made.problem.value


def test_the_still_picture_has_a_title_above_each_column_and_each_row_of_faces():
    axes = Thermostat(**MODEL, faces=FACES).still().axes
    titles = [ax.get_title(loc="left") for ax in axes]
    assert sum("λ_k" in title for title in titles) == 3
    assert sum("G trained" in title for title in titles) == len(FACES)
    assert not plt.get_fignums()


@pytest.mark.parametrize("options", [{"faces": {}}, {"faces": FACES, "lag": 0.5}])
def test_a_model_without_sense_is_refused(options):
    with pytest.raises(CourseError, match="faces and a lag"):
        Thermostat(**MODEL | options)
