"""Fields: what a user may give is taken in any form, and what is wrong is named with the input."""

import doctest
import json

import numpy as np
import pytest
import torch

from gancourse import fields
from gancourse.errors import CourseError
from gancourse.fields import Boxes, Classes, Flags, Map, Masks, Pictures, Points, Tokens

PETS = Classes(count=3, names=("cat", "dog", "fox"))
LOOKS = Flags(sets=(("attributes", ("Hat", "Beard")), ("classes", ("sad", "glad"))))
WORDS = Tokens(words=("a", "red", "sun"), length=4)
THINGS = Boxes(things=("sun", "tree"))
GROUND = Map(classes=("sky", "hill", "road"), size=2)
SHAPES = Masks(things=("sun", "tree"), size=2)
GREY = Pictures(shape=(1, 2, 2))
PLANE = Points()
KINDS = [PETS, LOOKS, WORDS, THINGS, GROUND, SHAPES, GREY, PLANE]
KINDS += [Classes(count=2), Points(dimensions=3)]

RIGHT = {
    "classes-tensor": (PETS, torch.tensor([2, 0]), [2, 0]),
    "classes-list": (PETS, [2, 0], [2, 0]),
    "classes-array-of-bytes": (PETS, np.array([2, 0], np.uint8), [2, 0]),
    "classes-int32": (PETS, torch.tensor([1], dtype=torch.int32), [1]),
    "classes-names": (PETS, ["fox", "cat"], [2, 0]),
    "classes-names-and-numbers": (PETS, ("fox", 1), [2, 1]),
    "classes-one-name": (PETS, "dog", [1]),
    "classes-one-number": (PETS, 2, [2]),
    "classes-without-names": (Classes(count=12), "11", [11]),
    "flags-rows": (LOOKS, [[1, 0, 0, 1]], [[1, 0, 0, 1]]),
    "flags-one-row": (LOOKS, [0, 0, 1, 0], [[0, 0, 1, 0]]),
    "flags-true-and-false": (LOOKS, torch.tensor([[True, False, False, True]]), [[1, 0, 0, 1]]),
    "flags-names": (LOOKS, ["glad", "Hat"], [[1, 0, 0, 1]]),
    "flags-words": (LOOKS, "Beard, sad", [[0, 1, 1, 0]]),
    "tokens-text": (WORDS, "A red sun!", [[1, 2, 3, 0]]),
    "tokens-texts": (WORDS, ["sun", "a red red sun"], [[3, 0, 0, 0], [1, 2, 2, 3]]),
    "tokens-numbers": (WORDS, [[1, 3, 0, 0]], [[1, 3, 0, 0]]),
    "tokens-no-word": (WORDS, "", [[0, 0, 0, 0]]),
    "boxes-none": (THINGS, [[[-1.0] * 4, [0, 0, 1, 1]]], [[[-1] * 4, [0, 0, 1, 1]]]),
    "boxes-of-one": (THINGS, [[0, 0, 0.5, 1], [-1] * 4], [[[0, 0, 0.5, 1], [-1] * 4]]),
    "map-bytes": (GROUND, torch.tensor([[[0, 1], [2, 2]]], dtype=torch.uint8), [[[0, 1], [2, 2]]]),
    "map-of-one": (GROUND, [[0, 1], [2, 2]], [[[0, 1], [2, 2]]]),
    "masks-of-one": (SHAPES, torch.eye(2).expand(2, 2, 2), [[[[1, 0], [0, 1]]] * 2]),
    "masks-that-overlap": (SHAPES, torch.ones(1, 2, 2, 2).bool(), [[[[1, 1], [1, 1]]] * 2]),
    "pictures-of-double": (GREY, torch.full((1, 1, 2, 2), 0.5).double(), [[[[0.5] * 2] * 2]]),
    "pictures-of-half": (GREY, torch.full((1, 1, 2, 2), 0.5).half(), [[[[0.5] * 2] * 2]]),
    "picture-alone": (GREY, -torch.ones(1, 2, 2), [[[[-1.0] * 2] * 2]]),
    "pictures-rounded": (GREY, torch.full((1, 1, 2, 2), 1.0005), [[[[1.0005] * 2] * 2]]),
    "points-list": (PLANE, [[1, 2], [3, 4]], [[1, 2], [3, 4]]),
    "points-one": (PLANE, (1e3, -1), [[1e3, -1]]),
    "points-far": (PLANE, np.array([[1e30, 0.0]]), [[1e30, 0]]),
}

WRONG = {
    "classes-too-high": (PETS, [0, 3], "0..2"),
    "classes-below": (PETS, [-1], "0..2"),
    "classes-fractions": (PETS, torch.tensor([1.0]), "whole number"),
    "classes-true": (PETS, torch.tensor([True]), "whole number"),
    "classes-unknown": (PETS, ["cat", "dgo"], "'dog'"),
    "classes-one-hot": (PETS, torch.tensor([[0, 1, 0]]), "(N,)"),
    "classes-none": (PETS, torch.zeros(0).long(), "a row"),
    "classes-nothing": (PETS, None, "0..2"),
    "classes-object": (PETS, object(), "0..2"),
    "flags-signs": (LOOKS, [[1, -1, -1, 1]], "0 or 1"),
    "flags-shares": (LOOKS, [[0.5, 0, 0, 1]], "0 or 1"),
    "flags-unknown": (LOOKS, "Hat, bread", "'Beard'"),
    "flags-too-few": (LOOKS, [[1, 0]], "(N, 4)"),
    "flags-one-for-all": (LOOKS, [1], "(N, 4)"),
    "flags-nan": (LOOKS, [[float("nan"), 0, 0, 1]], "0 or 1"),
    "tokens-unknown": (WORDS, "a red moon", "'moon'"),
    "tokens-too-long": (WORDS, "a red red red sun", "4 words"),
    "tokens-too-high": (WORDS, [[4, 0, 0, 0]], "0..3"),
    "tokens-fractions": (WORDS, torch.zeros(1, 4), "whole number"),
    "tokens-short-row": (WORDS, [[1, 2]], "(N, 4)"),
    "boxes-turned": (THINGS, [[[0.5, 0, 0.1, 1], [-1] * 4]], "left < right"),
    "boxes-pixels": (THINGS, [[[0, 0, 32, 64], [-1] * 4]], "[0, 1]"),
    "boxes-half-missing": (THINGS, [[[-1, -1, 0.5, 1], [-1] * 4]], "all -1"),
    "boxes-of-one-thing": (THINGS, [[[0, 0, 1, 1]]], "(N, 2, 4)"),
    "box-for-all-things": (THINGS, [[0, 0, 1, 1]], "(N, 2, 4)"),
    "map-too-high": (GROUND, torch.full((1, 2, 2), 3), "0..2"),
    "map-fractions": (GROUND, torch.zeros(1, 2, 2), "0..2"),
    "map-one-hot": (GROUND, torch.zeros(1, 3, 2, 2).long(), "(N, 2, 2)"),
    "map-of-another-size": (GROUND, torch.zeros(1, 4, 4).long(), "(N, 2, 2)"),
    "masks-numbers": (SHAPES, torch.full((1, 2, 2, 2), 2), "0 or 1"),
    "masks-as-stored": (SHAPES, torch.zeros(1, 2, 2), "(N, 2, 2, 2)"),
    "pictures-bytes": (GREY, torch.zeros(1, 1, 2, 2).byte(), "127.5"),
    "pictures-0-to-255": (GREY, torch.full((1, 1, 2, 2), 200.0), "127.5"),
    "pictures-nan": (GREY, torch.full((1, 1, 2, 2), float("nan")), "127.5"),
    "pictures-infinite": (GREY, torch.full((1, 1, 2, 2), float("inf")), "127.5"),
    "pictures-array": (GREY, np.zeros((1, 1, 2, 2)), "torch.as_tensor"),
    "pictures-in-colour": (GREY, torch.zeros(1, 3, 2, 2), "(N, 1, 2, 2)"),
    "pictures-channels-last": (GREY, torch.zeros(1, 2, 2, 1), "(N, 1, 2, 2)"),
    "picture-in-grey-for-one-in-colour": (
        Pictures(shape=(3, 2, 2)),
        torch.zeros(1, 2, 2),
        "(N, 3, 2, 2)",
    ),
    "pictures-none": (GREY, torch.zeros(0, 1, 2, 2), "a row"),
    "points-nan": (PLANE, [[float("nan"), 0]], "finite"),
    "points-infinite": (PLANE, [[1, float("inf")]], "finite"),
    "points-in-space": (PLANE, [[1, 2, 3]], "(N, 2)"),
    "points-words": (PLANE, "1, 2", "finite numbers"),
}


@pytest.mark.parametrize("case", RIGHT)
def test_this_value_is_taken(case):
    field, value, expected = RIGHT[case]
    found = field.check("given", value)
    assert found.dtype == field.dtype
    torch.testing.assert_close(found, torch.tensor(expected, dtype=field.dtype))


@pytest.mark.parametrize("case", WRONG)
def test_this_value_is_refused_with_what_was_expected(case):
    field, value, expected = WRONG[case]
    with pytest.raises(CourseError) as caught:
        field.check("given", value)
    assert expected in str(caught.value)


@pytest.mark.parametrize("case", [case for case in WRONG if "unknown" not in case])
def test_the_message_names_the_input(case):
    field, value, _ = WRONG[case]
    with pytest.raises(CourseError, match=r"^labels_of_mine must"):
        field.check("labels_of_mine", value)


@pytest.mark.parametrize("case", RIGHT)
def test_a_value_for_one_sample_is_repeated_and_a_wrong_count_is_refused(case):
    field, value, expected = RIGHT[case]
    if len(expected) == 1:
        one = field.check("given", value)[0]
        three = field.check("given", one, 3)
        assert torch.equal(three, torch.stack([one] * 3))
    rows = field.check("given", value)
    assert torch.equal(field.check("given", rows, len(rows)), rows)
    with pytest.raises(CourseError, match=rf"^given must .*\({len(rows) + 1},.*\({len(rows)},"):
        field.check("given", rows, len(rows) + 1)


@pytest.mark.parametrize("field", KINDS, ids=lambda field: type(field).__name__)
def test_what_is_made_up_is_valid_repeatable_and_varied(field):
    made = field.example(64, torch.Generator().manual_seed(1))
    assert torch.equal(field.check("made", made, 64), made)
    assert made.dtype == field.dtype
    assert made.shape == (64, *field.shape)
    assert torch.equal(made, field.example(64, torch.Generator().manual_seed(1)))
    assert not torch.equal(made, field.example(64, torch.Generator().manual_seed(2)))
    assert field.example(2, device="meta").device.type == "meta"


def test_a_batch_is_made_up_by_name():
    batch = fields.example({"labels": PETS, "real": GREY}, 5, torch.Generator().manual_seed(0))
    assert {name: value.shape[0] for name, value in batch.items()} == {"labels": 5, "real": 5}


def test_made_up_labels_have_one_class_of_a_set_and_any_attributes():
    made = LOOKS.example(200, torch.Generator().manual_seed(0))
    assert made[:, 2:].sum(1).unique().tolist() == [1]
    assert made[:, :2].sum(1).unique().tolist() == [0, 1, 2]


def test_made_up_texts_are_of_words_and_then_of_zeros():
    made = WORDS.example(200, torch.Generator().manual_seed(0))
    lengths = (made > 0).sum(1)
    assert lengths.unique().tolist() == [2, 3, 4]
    assert torch.equal(made > 0, torch.arange(4) < lengths[:, None])


def test_made_up_things_are_missing_now_and_then():
    missing = (THINGS.example(400, torch.Generator().manual_seed(0)) == -1).all(-1)
    assert 0.15 < missing.float().mean() < 0.35


@pytest.mark.parametrize("field", KINDS, ids=lambda field: type(field).__name__)
def test_a_card_is_json_and_reads_back(field):
    assert fields.read(json.loads(json.dumps(field.card()))) == field


@pytest.mark.parametrize(
    ("card", "culprit"),
    [
        ({"kind": "Colours", "count": 3}, "'Colours'"),
        ({"count": 3}, "None"),
        ({"kind": "Classes", "number": 3}, "Classes"),
        ({"kind": "Map"}, "Map"),
    ],
)
def test_a_card_of_another_version_is_refused(card, culprit):
    with pytest.raises(CourseError, match=culprit):
        fields.read(card)


OTHERS = [
    (PETS, Classes(count=3, names=("x", "y", "z")), True),
    (PETS, Classes(count=4), False),
    (LOOKS, Flags(sets=(("attributes", ("A", "B")), ("classes", ("c", "d")))), True),
    (LOOKS, Flags(sets=(("attributes", ("A", "B", "C")), ("classes", ("d",)))), False),
    (LOOKS, Flags(sets=(("classes", ("A", "B")), ("attributes", ("c", "d")))), False),
    (WORDS, Tokens(words=("the", "blue", "sea"), length=4), True),
    (WORDS, Tokens(words=WORDS.words, length=5), False),
    (WORDS, Tokens(words=("a", "b"), length=4), False),
    (THINGS, Boxes(things=("x", "y")), True),
    (THINGS, Boxes(things=("x",)), False),
    (GROUND, Map(classes=("x", "y", "z"), size=2), True),
    (GROUND, Map(classes=("x", "y"), size=2), False),
    (GROUND, GROUND.sized(4), False),
    (SHAPES, SHAPES.sized(4), False),
    (GREY, Pictures(shape=(1, 2, 2)), True),
    (GREY, Pictures(shape=(3, 2, 2)), False),
    (GREY, GREY.sized(4), False),
    (PLANE, Points(dimensions=3), False),
    (Points(dimensions=3), Classes(count=3), False),
]


@pytest.mark.parametrize(("one", "other", "fit"), OTHERS)
def test_a_field_fits_another_of_its_form_whatever_the_names(one, other, fit):
    assert one.fits(other) == other.fits(one) == fit
    assert (one.form == other.form) == fit or type(one) is not type(other)


def test_pictures_of_another_size_keep_their_channels():
    assert GREY.sized(8) == Pictures(shape=(1, 8, 8))
    assert (GREY.sized(8).side, GREY.channels) == (8, 1)
    assert PETS.sized(8) is PETS


def test_stored_bytes_become_what_a_network_takes():
    assert GREY.decode(torch.tensor([0, 255]).byte()).tolist() == [-1, 1]
    assert GROUND.decode(torch.tensor([[[0, 2], [1, 1]]]).byte()).dtype == torch.int64
    stored = torch.tensor([[[0, 1], [2, 2]]]).byte()
    assert SHAPES.decode(stored).tolist() == [[[[0, 1], [0, 0]], [[0, 0], [1, 1]]]]
    assert torch.equal(SHAPES.check("masks", SHAPES.decode(stored)), SHAPES.decode(stored))


def test_what_is_left_out_has_a_default_only_where_all_values_are_alike():
    assert PETS.default(5).tolist() == [0, 1, 2, 0, 1]
    assert [field.default(5) for field in (LOOKS, WORDS, GREY, PLANE)] == [None] * 4


def test_a_text_comes_back_in_lower_case_without_punctuation():
    assert WORDS.decode_text(WORDS.check("text", ["A red, red sun.", "Sun"])) == [
        "a red red sun",
        "sun",
    ]


def test_maps_are_shown_in_a_colour_for_each_class_and_text_is_not_shown():
    shown = GROUND.pictures(torch.tensor([[[0, 1], [2, 0]]]))
    assert shown.shape == (1, 3, 2, 2)
    assert shown.abs().max() <= 1
    assert len(shown[0].flatten(1).T.unique(dim=0)) == 3
    assert GREY.pictures(torch.zeros(1, 1, 2, 2)) is not None
    assert WORDS.pictures(torch.zeros(1, 4).long()) is None


def test_the_examples_in_the_docstring_hold():
    assert doctest.testmod(fields).failed == 0
