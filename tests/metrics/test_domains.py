"""What was asked of a face, and what was not, by the judge of faces."""

import pytest
import torch

from gancourse.data import toons
from gancourse.errors import CourseError
from gancourse.metrics import load_judge
from gancourse.metrics.domains import KIN, domain_errors


@pytest.fixture(scope="module")
def judge():
    return load_judge("toons")


@pytest.fixture(scope="module")
def people():
    """Faces on which everything can be seen."""
    return toons.sample(60, seed=77).replace(
        hair="short", hat="none", hair_colour="brown", glasses="none", expression="neutral"
    )


def images(factors, size=64):
    return toons.draw(factors, size).images.float() / 127.5 - 1


@pytest.mark.parametrize("size", [64, 32])
@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ({"glasses": "round"}, {"Eyeglasses": True}),
        ({"hair_colour": "blond"}, {"Blond_Hair": True}),
        ({"expression": "laugh"}, {"expression": "laugh"}),
        ({"age": "old", "glasses": "sun"}, {"Old": True, "Eyeglasses": True}),
    ],
)
def test_a_perfect_translation_has_hardly_an_error(judge, people, size, change, asked):
    errors = domain_errors(
        judge, images(people, size), images(people.replace(**change), size), asked
    )
    assert errors.asked <= 0.05
    assert errors.others <= 0.02


def test_a_face_that_stays_as_it_was_misses_everything_and_keeps_the_rest(judge, people):
    faces = images(people)
    assert domain_errors(judge, faces, faces, {"Eyeglasses": True}) == (1, 0)
    assert domain_errors(judge, faces, faces, {"Eyeglasses": False}) == (0, 0)


def test_what_was_not_asked_for_is_counted_once_for_each_attribute(judge, people):
    both = people.replace(glasses="round", hair_colour="blond")
    before, after = images(people), images(both)
    glasses = domain_errors(judge, before, after, {"Eyeglasses": True})
    assert glasses.others == pytest.approx(2 / 18, abs=0.01)  # brown no longer, and blond
    together = domain_errors(judge, before, after, {"glasses": "round", "hair_colour": "blond"})
    assert together.asked <= 0.05
    assert together.others <= 0.01


def test_a_value_for_each_face_is_understood(judge, people):
    moods = torch.arange(len(people)) % 6
    before, after = images(people), images(people.replace(expression=moods.tolist()))
    assert domain_errors(judge, before, after, {"expression": moods}).asked <= 0.05
    assert domain_errors(judge, before, after, {"expression": (moods + 1) % 6}).asked >= 0.95


def test_every_attribute_has_its_kin():
    assert set().union(*KIN) - set(toons.FACTORS) == set(toons.ATTRIBUTES)


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ({}, "expected what was asked for"),
        ({"Eyeglases": True}, "unknown attribute or factor 'Eyeglases'"),
        ({"expression": "bored"}, "unknown expression 'bored'"),
    ],
)
def test_what_cannot_be_asked_is_refused(judge, asked, complaint):
    with pytest.raises(CourseError, match=complaint):
        domain_errors(judge, torch.zeros(2, 3, 64, 64), torch.zeros(2, 3, 64, 64), asked)


def test_faces_without_their_translations_are_refused(judge):
    with pytest.raises(CourseError, match="2 and 3 faces"):
        domain_errors(judge, torch.zeros(2, 3, 64, 64), torch.zeros(3, 3, 64, 64), {"Old": True})
