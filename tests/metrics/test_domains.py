"""Errors of translated faces: requested attributes that are missing, others that changed."""

import itertools

import pytest
import torch

from gancourse import toons
from gancourse.errors import CourseError
from gancourse.metrics import load_judge
from gancourse.metrics.domains import RELATED, domain_errors, errors_by_label, label_target


@pytest.fixture(scope="module")
def judge():
    return load_judge("toons")


@pytest.fixture(scope="module")
def people():
    """Faces whose hair no hat hides."""
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


def test_each_other_attribute_that_changed_counts(judge, people):
    both = people.replace(glasses="round", hair_colour="blond")
    before, after = images(people), images(both)
    glasses = domain_errors(judge, before, after, {"Eyeglasses": True})
    assert glasses.others == pytest.approx(2 / 18, abs=0.01)  # brown no longer, and blond
    together = domain_errors(judge, before, after, {"glasses": "round", "hair_colour": "blond"})
    assert together.asked <= 0.05
    assert together.others <= 0.01


def test_a_value_for_each_face_is_accepted(judge, people):
    moods = torch.arange(len(people)) % 6
    before, after = images(people), images(people.replace(expression=moods.tolist()))
    assert domain_errors(judge, before, after, {"expression": moods}).asked <= 0.05
    assert domain_errors(judge, before, after, {"expression": (moods + 1) % 6}).asked >= 0.95


def test_every_attribute_is_in_a_group_of_related_ones():
    assert set().union(*RELATED) - set(toons.FACTORS) == set(toons.ATTRIBUTES)


@pytest.mark.parametrize(
    ("asked", "culprit"),
    [
        ({}, "asked"),
        ({"Eyeglases": True}, "'Eyeglases'.*'Eyeglasses'"),
        ({"expression": "bored"}, "'bored'.*neutral"),
    ],
)
def test_an_empty_or_unknown_request_is_refused(judge, asked, culprit):
    with pytest.raises(CourseError, match=culprit):
        domain_errors(judge, torch.zeros(2, 3, 64, 64), torch.zeros(2, 3, 64, 64), asked)


def test_faces_without_their_translations_are_refused(judge):
    with pytest.raises(CourseError, match=r"2 .* 3 "):
        domain_errors(judge, torch.zeros(2, 3, 64, 64), torch.zeros(3, 3, 64, 64), {"Old": True})


NAMES = ("Black_Hair", "Red_Hair", "Eyeglasses", "neutral", "laugh")


def test_a_colour_replaces_the_own_one_and_anything_else_is_switched():
    own = torch.tensor([[1.0, 0, 1], [0, 1, 0]])  # black hair with glasses, red without
    red, asked = label_target(own, NAMES, "Red_Hair")
    assert red.tolist() == [[0, 1, 1, 0, 0], [0, 1, 0, 0, 0]]
    assert asked["Red_Hair"].tolist() == [True, True]
    glasses, asked = label_target(own, NAMES, "Eyeglasses")
    assert glasses.tolist() == [[1, 0, 0, 0, 0], [0, 1, 1, 0, 0]]
    assert asked["Eyeglasses"].tolist() == [False, True]


def test_an_expression_is_asked_for_alone():
    laugh, asked = label_target(torch.ones(2, 3), NAMES, "laugh")
    assert laugh.tolist() == [[0, 0, 0, 0, 1]] * 2
    assert asked == {"expression": "laugh"}
    with pytest.raises(CourseError, match="laugh"):
        label_target(torch.ones(2, 3), NAMES, "lough")


def test_errors_by_label_ask_for_each_label_of_every_face(judge, people):
    """A renderer is a perfect translator; one that returns its input misses what is not there."""
    before = images(people, 32)  # brown hair, no glasses, neutral
    own, parts = torch.zeros(len(people), 3), itertools.cycle([people[:50], people[50:]])
    changes = [{"hair_colour": "black"}, {"hair_colour": "red"}, {"glasses": "round"}]
    changes += [{}, {"expression": "laugh"}]

    def redraw(_, target):
        asked = next(parts).replace(**changes[target[0].argmax()])
        return images(asked, 32)

    perfect = errors_by_label(judge, redraw, before, own, NAMES)
    assert list(perfect) == list(NAMES)
    assert max(errors.asked for errors in perfect.values()) <= 0.15
    idle = errors_by_label(judge, lambda x, c: x, before, own, NAMES)
    assert [idle[name].asked > 0.9 for name in NAMES] == [True, True, True, False, True]
    assert all(errors.others == 0 for errors in idle.values())
