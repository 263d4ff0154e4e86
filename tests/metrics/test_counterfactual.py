"""Errors of translated faces against the renderer's own drawing of the request."""

import pytest
import torch

from gancourse import toons
from gancourse.errors import CourseError
from gancourse.metrics.counterfactual import TOGGLED, changed, counterfactual_errors
from gancourse.metrics.domains import COLOURS
from gancourse.toons import FACTORS


@pytest.fixture(scope="module")
def people():
    return toons.sample(12, seed=5).replace(hair="short", hat="none")


def images(factors):
    return toons.draw(factors, 32).images.float() / 127.5 - 1


@pytest.mark.parametrize("name", [*sorted(COLOURS), *FACTORS["expression"], *TOGGLED])
def test_every_drawing_of_the_request_is_without_error(people, name):
    before = images(people)
    for truth in changed(people, name):
        errors = counterfactual_errors(people, name, before, images(truth))
        assert (errors.inside, errors.outside, errors.whole) == (0, 0, 0)
        assert errors.untouched > 0.05 and errors.untouched_whole > 0


def test_doing_nothing_has_the_error_untouched(people):
    before = images(people)
    errors = counterfactual_errors(people, "Blond_Hair", before, before)
    assert errors.inside == errors.untouched
    assert errors.whole == errors.untouched_whole
    assert errors.outside < 1e-4  # edges that change by less than a hundredth


def test_what_changes_elsewhere_counts_outside(people):
    before = images(people)
    after = images(people.replace(hair_colour="blond"))
    after[:, :, -3:] = -after[:, :, -3:]  # clothes, which a hair colour leaves alone
    errors = counterfactual_errors(people, "Blond_Hair", before, after)
    assert errors.inside == 0
    assert errors.outside > 0.01


def test_a_toggle_is_drawn_in_the_other_direction_for_each_face(people):
    glasses = people.replace(glasses="none")
    assert {int(f.glasses.unique()) for f in changed(glasses, "Eyeglasses")} == {1, 2, 3}
    worn = people.replace(glasses="sun")
    assert {int(f.glasses.unique()) for f in changed(worn, "Eyeglasses")} == {0}
    half = people.replace(presentation=["feminine", "masculine"] * 6)
    (other,) = changed(half, "Male_presenting")
    assert torch.equal(other.presentation, 1 - half.presentation)


def test_a_label_that_cannot_be_drawn_is_refused(people):
    with pytest.raises(CourseError, match="Bald"):
        changed(people, "Bald")
