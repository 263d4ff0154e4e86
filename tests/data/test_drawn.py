"""Drawn data to translate: each side shows what it says, and only the hidden pairs tell more."""

import doctest

import pytest
import torch

from gancourse import data
from gancourse.data import drawn
from gancourse.errors import CourseError, DataError
from gancourse.toons import CLASSES, SCENE_CLASSES, SCENE_KINDS, SCENE_LOOKS, SCENE_PALETTE
from gancourse.toons.hints import PENS, STROKES
from gancourse.toons.scene_factors import NUMBERS
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


# Scenes as layouts, in every look, and with other things


def test_a_map_stands_with_its_scene_in_every_look():
    paired = data.load("map2looks", limit=24, image_size=32)
    assert len(data.load("map2looks")) == 833 * 12
    assert len(data.load("map2looks:5", split="test")) == 60
    assert paired.b.classes == SCENE_LOOKS
    assert paired.b.labels.tolist() == [*range(12), *range(12)]
    scenes = data.load("scenes", limit=2, image_size=32).drawing.factors.repeat_interleave(12)
    shown = paired.b.drawing.factors.describe()
    for row, scene in enumerate(scenes.describe()):
        season, time = SCENE_LOOKS[row % 12].split()
        assert shown[row] == scene | {"season": season, "time": time}
    maps = paired.a.pixels.unflatten(0, (2, 12))
    assert torch.equal(maps, maps[:, :1].expand_as(maps))
    assert not torch.equal(maps[0, 0], maps[1, 0])
    assert len(paired.b.pixels.unique(dim=0)) == 24
    with pytest.raises(DataError, match="up to 8,333"):
        data.load("map2looks:9000")


def there(boxes):
    return boxes[..., 0] >= 0


def box_of(mask):
    """Left, top, right and bottom of a mask as shares of its side."""
    rows, columns = (mask.any(dim).nonzero()[:, 0] for dim in (1, 0))
    ends = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    return torch.stack(ends).float() / len(mask)


def test_a_layout_has_the_kind_the_box_and_the_mask_of_each_thing_in_one_slot():
    layouts = data.load("layouts", limit=60)
    kinds, boxes, masks = (layouts.columns[n].rows() for n in ("kinds", "boxes", "masks"))
    assert layouts.take("kinds").fields["kinds"].words == SCENE_KINDS
    assert (kinds.shape, boxes.shape, masks.shape) == ((60, 8), (60, 8, 4), (60, 8, 64, 64))
    assert torch.equal(kinds > 0, there(boxes))
    assert torch.equal(kinds > 0, masks.flatten(2).any(2))
    assert ((kinds > 0).long().diff(dim=1) <= 0).all()  # empty slots come last
    assert (masks.sum(1) <= 1).all()
    semantic = layouts.drawing.semantic
    for row, slot in (kinds > 0).nonzero().tolist():
        mask = masks[row, slot].bool()
        assert mask.sum() >= 16
        assert torch.equal(boxes[row, slot], box_of(mask))
        seen = {SCENE_CLASSES[c] for c in semantic[row][mask].unique().tolist()}
        assert seen <= {*classes_of(kinds[row, slot])}


def classes_of(kind):
    """The classes of a map in which a thing of a kind is seen."""
    name = SCENE_KINDS[kind - 1]
    if name in ("cottage", "townhouse", "chalet"):
        return ("wall", "roof", "window")
    return ("tree",) if name == "fir" else (name,)


def test_a_layout_lists_all_that_its_scene_has_unless_it_is_hidden():
    layouts = data.load("layouts", split="test", limit=200)
    factors = layouts.drawing.factors.describe()
    assert {scene["road"] for scene in factors} == {"none"}
    kinds = layouts.columns["kinds"].rows()
    hidden = 0
    for row, scene in enumerate(factors):
        styles = [scene[f"house_{k}"] for k in range(1, NUMBERS.index(scene["houses"]) + 1)]
        known = {
            "sun": 1,
            "cloud": NUMBERS.index(scene["clouds"]),
            "tree": NUMBERS.index(scene["round_trees"]),
            "fir": NUMBERS.index(scene["fir_trees"]),
            "lake": int(scene["water"] == "lake"),
        } | {style: styles.count(style) for style in ("cottage", "townhouse", "chalet")}
        assert sum(known.values()) <= 8
        for kind, count in known.items():
            seen = (kinds[row] == SCENE_KINDS.index(kind) + 1).sum().item()
            assert seen <= count
            hidden += count - seen
    assert hidden < 0.06 * (kinds > 0).sum()


def test_the_first_layouts_are_the_same_at_every_number_and_size():
    few, many = data.load("layouts:3"), data.load("layouts:400")
    assert torch.equal(few.drawing.factors.codes, many.drawing.factors.codes[:3])
    small = few.resized(32)
    for name in ("kinds", "boxes"):
        assert torch.equal(small.columns[name].values, few.columns[name].values)
    masks = [each.columns["masks"].rows() for each in (small, few)]
    assert masks[0].shape == (3, 8, 32, 32)
    larger = masks[0].repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert (larger == masks[1]).float().mean() > 0.97  # slot k is one thing at both sizes


OTHERS = [("trees", {"tree"}, {"fir"}), ("houses", {"cottage"}, {"chalet"})]


@pytest.mark.parametrize(("name", "first", "second"), OTHERS)
def test_each_side_has_things_of_its_kind_and_pairs_differ_in_nothing_else(name, first, second):
    training = data.load(name, limit=150, image_size=32)
    assert training.hidden is None
    testing = data.load(name, split="test", limit=60, image_size=32)
    a, b = testing.hidden.a, testing.hidden.b
    for side, own in ((training.a, first), (training.b, second), (a, first), (b, second)):
        kinds = side.columns["kinds"].rows()
        assert {SCENE_KINDS[kind - 1] for kind in kinds.unique().tolist() if kind} == own
        assert (kinds[:, 0] > 0).all()  # one thing at least
        assert (kinds[:, 2] > 0).any() and (kinds[:, 2] == 0).any()
    assert torch.equal(a.columns["kinds"].rows() > 0, b.columns["kinds"].rows() > 0)
    masks = [side.columns["masks"].rows().bool() for side in (a, b)]
    assert masks[0].shape == (60, 3, 32, 32)
    seen = [side.flatten(2).any(2) for side in masks]
    assert (seen[0] == seen[1]).float().mean() > 0.98  # one may be hidden where the other is not
    both = seen[0] & seen[1]
    overlap = (masks[0] & masks[1]).flatten(2).sum(2) / masks[0].flatten(2).sum(2)
    assert overlap[both].median() > 0.4
    outside = ~(masks[0] | masks[1]).any(1)
    apart = (a.images() - b.images()).abs().mean(1)
    assert apart[outside].mean() < 0.01 < 0.1 < apart[~outside].mean()
    rows = {tuple(row) for row in training.a.drawing.factors.variation[:, :12].tolist()}
    assert not rows & {tuple(row) for row in training.b.drawing.factors.variation[:, :12].tolist()}


def test_other_trees_stand_in_the_same_places_and_come_back():
    factors = data.load("scenes", limit=80).drawing.factors
    other = factors.with_other_trees()
    kinds = factors.tree_kinds
    assert torch.equal(other.tree_kinds, torch.tensor([0, 2, 1])[kinds])
    assert torch.equal(other.tree_ranks % 3, factors.tree_ranks % 3)
    back = other.with_other_trees()
    assert torch.equal(back.codes, factors.codes)
    assert torch.equal(back.variation, factors.variation)


def test_masks_of_unpaired_sides_can_be_taken_with_their_pictures():
    run = runtime.start(device="cpu", seed=0)
    trees = data.load("trees:8", image_size=32).take("real_A", "masks_A", "real_B", "masks_B")
    batch = trees.batch(0, 4, run)
    assert batch["masks_A"].shape == batch["masks_B"].shape == (4, 3, 32, 32)
    whole = trees.a.images()
    for row in range(4):
        (place,) = [i for i in range(8) if torch.equal(batch["real_A"][row], whole[i])]
        assert torch.equal(batch["masks_A"][row], trees.a.columns["masks"].rows()[place])
