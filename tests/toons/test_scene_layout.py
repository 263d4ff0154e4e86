"""Slots of a layout: which thing of a scene each takes, and where it is seen."""

import doctest

import pytest
import torch

from gancourse import toons
from gancourse.toons import scene_layout
from gancourse.toons.scene_layout import ALL, HOUSES, LEAST, THINGS, TREES

SLOTS = {"things": THINGS, "houses": HOUSES, "trees": TREES}


@pytest.fixture(scope="module")
def some():
    """Scenes whose trees are all round."""
    factors = toons.SceneFactors.sample(60, seed=5).replace(fir_trees="none")
    return toons.draw_scenes(factors, 64)


@pytest.mark.parametrize("name", SLOTS)
def test_slots_show_what_the_instances_of_a_scene_show(some, name):
    chosen = SLOTS[name].choose(some)
    boxes, numbers = (find(some, chosen) for find in (scene_layout.boxes, scene_layout.numbers))
    assert chosen.shape == (60, len(SLOTS[name].names))
    for row, slot in (chosen > 0).nonzero().tolist():
        thing = chosen[row, slot].item() - 1
        if ALL[thing] == "lake":
            mask = some.semantic[row] == toons.SCENE_CLASSES.index("lake")
        else:
            mask = some.masks[row, thing]
            assert boxes[row, slot].tolist() == some.boxes[row, thing].tolist()
        assert torch.equal(numbers[row] == slot + 1, mask)
    empty = (chosen == 0).nonzero().tolist()
    assert empty
    for row, slot in empty:
        assert boxes[row, slot].tolist() == [-1] * 4
        assert not (numbers[row] == slot + 1).any()


def test_things_are_those_of_which_enough_is_seen_each_once(some):
    chosen = THINGS.choose(some)
    lake = (some.semantic == toons.SCENE_CLASSES.index("lake"))[:, None]
    pixels = torch.cat([some.masks, lake], 1).flatten(2).sum(2)
    for row in range(60):
        known = [thing + 1 for thing in range(len(ALL)) if pixels[row, thing] >= LEAST]
        assert [c for c in chosen[row].tolist() if c] == known[:8]


def test_kinds_are_those_of_the_factors(some):
    kinds = scene_layout.kinds(some.factors, HOUSES.choose(some))
    for row, scene in enumerate(some.factors.describe()):
        count = ("one", "two", "three").index(scene["houses"]) + 1
        styles = [scene[f"house_{k}"] for k in range(1, count + 1)]
        found = [toons.SCENE_KINDS[kind - 1] if kind else None for kind in kinds[row].tolist()]
        assert found == styles + [None] * (3 - count)
    trees = scene_layout.kinds(some.factors, TREES.choose(some))
    assert torch.equal((trees > 0).sum(1), some.factors.round_trees)
    assert {*trees.unique().tolist()} <= {0, toons.SCENE_KINDS.index("tree") + 1}


def test_a_count_holds_what_is_hidden_too(some):
    f = some.factors
    expected = 1 + f.clouds + f.houses + 1 + f.round_trees + f.fir_trees + f.water
    assert torch.equal(scene_layout.count(f), expected)


def test_a_scene_in_every_look_is_twelve_scenes_in_the_order_of_the_looks(some):
    few = some.factors[:3]
    looks = few.in_every_look()
    assert looks.look.tolist() == [*range(12)] * 3
    assert torch.equal(looks.variation, few.repeat_interleave(12).variation)
    assert torch.equal(toons.draw_scenes(looks, 32).parts[::12], toons.draw_scenes(few, 32).parts)


def test_the_examples_in_the_docstring_hold():
    assert doctest.testmod(scene_layout).failed == 0
