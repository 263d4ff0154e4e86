"""Drawn data to translate: each side shows what it says, and only the hidden pairs tell more."""

import doctest

import pytest
import torch

from gancourse import data
from gancourse.data import drawn
from gancourse.errors import CourseError, DataError
from gancourse.toons import CLASSES, SCENE_PALETTE
from gancourse.toons.hints import PENS, STROKES
from gancourse.training import runtime

STATES = [("seasons", "season", "summer", "winter"), ("daynight", "time", "day", "night")]


def test_a_map_belongs_to_the_scene_that_was_drawn_over_it():
    paired = data.load("map2scene", limit=6, image_size=32)
    assert (paired.a.shape, paired.shape, len(paired)) == ((3, 32, 32), (3, 32, 32), 6)
    scenes = data.load("scenes", limit=6, image_size=32)
    assert torch.equal(paired.b.pixels, scenes.pixels)
    semantic = scenes.drawing.semantic.long()
    palette = torch.as_tensor(SCENE_PALETTE)
    assert torch.equal(paired.a.pixels, palette[semantic].permute(0, 3, 1, 2))


def test_a_quilt_belongs_to_the_map_and_is_of_a_summers_day():
    paired = data.load("map2quilt", limit=6, image_size=32)
    assert torch.equal(paired.a.pixels, data.load("map2scene", limit=6, image_size=32).a.pixels)
    assert torch.equal(paired.b.pixels, paired.b.drawing.quilts)
    shown = paired.b.drawing.factors.describe()
    assert {(scene["season"], scene["time"]) for scene in shown} == {("summer", "day")}


def test_a_hint_is_a_stroke_of_the_true_colour_in_its_own_part():
    paired = data.load("hints2face", limit=40)
    drawing = paired.b.drawing
    pixels = paired.a.pixels.permute(0, 2, 3, 1)
    assert {tuple(rgb) for rgb in pixels.flatten(0, 2).unique(dim=0).tolist()} <= {*PENS.values()}
    factors, semantic = drawing.factors.describe(), drawing.semantic
    for name, (factor, _, kind) in STROKES.items():
        for number in range(40):
            inside = pixels[number][semantic[number] == CLASSES.index(name)]
            seen = {tuple(rgb) for rgb in inside.unique(dim=0).tolist()}
            pen = PENS[f"{kind}: {factors[number][factor]}"]
            assert seen <= {pen, PENS["eraser"], PENS["line"]}
            assert pen in seen or len(inside) < 30
    assert torch.equal(data.load("hints2face:50").first(3).a.pixels, paired.a.pixels[:3])


@pytest.mark.parametrize(("name", "factor", "first", "second"), STATES)
def test_each_side_has_its_state_and_all_else_is_free(name, factor, first, second):
    training = data.load(f"{name}:300")
    a, b = (side.drawing.factors for side in (training.a, training.b))
    for factors, value in ((a, first), (b, second)):
        assert {scene[factor] for scene in factors.describe()} == {value}
        others = {"season", "time", "hills", "houses"} - {factor}
        for other in others:
            assert len(getattr(factors, other).unique()) == len(factors.columns[other])
    assert training.hidden is None
    seen = {tuple(row) for row in a.variation.tolist()}
    assert not seen & {tuple(row) for row in b.variation.tolist()}


@pytest.mark.parametrize(("name", "factor", "first", "second"), STATES)
def test_for_testing_the_same_scenes_are_hidden_as_pairs(name, factor, first, second):
    testing = data.load(name, split="test", limit=5, image_size=32)
    a, b = (side.drawing.factors for side in (testing.hidden.a, testing.hidden.b))
    assert torch.equal(a.replace(**{factor: second}).codes, b.codes)
    assert torch.equal(a.variation, b.variation)
    assert (len(testing), len(testing.hidden)) == (5, 5)
    assert testing.hidden.shape == (3, 32, 32)
    assert not torch.equal(testing.hidden.a.pixels, testing.hidden.b.pixels)


def test_no_scene_for_training_is_one_for_testing():
    def rows(part):
        factors = [side.drawing.factors.variation for side in (part.a, part.b)]
        return {tuple(row) for row in torch.cat(factors).tolist()}

    for name in ("seasons", "daynight", "map2scene"):
        training, testing = (rows(data.load(f"{name}:200", split=s)) for s in ("train", "test"))
        assert not training & testing


def test_nothing_is_drawn_before_it_is_needed():
    for name in ("map2scene", "map2quilt", "hints2face", "seasons", "daynight"):
        whole = data.load(name)
        assert (len(whole.a), len(whole.b)) == (10_000, 10_000)
        assert not any(c.made for side in (whole.a, whole.b) for c in side.columns.values())
        assert len(data.load(name, split="test")) == 2_000
    with pytest.raises(DataError, match=r"number.* seasons:500"):
        data.load("seasons:all")
    with pytest.raises(CourseError, match="split 'valid'"):
        data.load("daynight", split="valid")
    with pytest.raises(DataError, match="1 to 10,000"):
        data.load("map2scene", limit=10_001)


def test_what_several_fields_show_is_drawn_once(monkeypatch):
    made = []
    faces = drawn.toons.Faces
    monkeypatch.setattr(drawn.toons, "Faces", lambda *given: made.append(given[1]) or faces(*given))
    few = data.load("toons:5").resized(32).first(3)
    assert made == []
    for field in ("real", "sketch", "map"):
        assert len(few.columns[field].values) == 3
    assert len(few.drawing.captions) == 3
    assert made == [32]


def test_batches_of_drawn_scenes_lie_in_the_range_of_pictures():
    run = runtime.start(device="cpu", seed=0)
    batch = data.load("seasons:8", image_size=32).batch(0, 4, run)
    for key in ("real_A", "real_B"):
        assert batch[key].shape == (4, 3, 32, 32)
        assert -1 <= batch[key].min() < batch[key].max() <= 1


def test_what_was_drawn_goes_along_to_another_device():
    paired = data.load("sketch2face:3", image_size=32)
    before = paired.a.pixels
    moved = paired.to("cpu").a.columns["real"]
    assert moved.made
    assert torch.equal(moved.values, before)


def test_the_examples_in_the_docstring_hold():
    assert doctest.testmod(drawn).failed == 0
