"""Layouts of scenes: a fixed number of slots, each with the kind, the box and the mask of a thing.

>>> from gancourse.toons import scenes
>>> some = scenes(2, size=64)
>>> chosen = THINGS.choose(some)
>>> kinds(some.factors, chosen).shape, boxes(some, chosen).shape, numbers(some, chosen).shape
(torch.Size([2, 8]), torch.Size([2, 8, 4]), torch.Size([2, 64, 64]))
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from gancourse.toons.render import extent
from gancourse.toons.scene_look import PART_INSTANCES, SCENE_INSTANCES, SCENE_PARTS

# What a layout can hold: the instances, and the lake.
ALL = (*SCENE_INSTANCES, "lake")
# What kind a thing is of, a word each; "tree" is a round tree.
SCENE_KINDS = ("sun", "cloud", "cottage", "townhouse", "chalet", "tree", "fir", "lake")
LEAST = 16  # pixels of 64 x 64 that must be seen of a thing, so that one can say what it is

SUN, CLOUD, COTTAGE, TREE, LAKE = (
    SCENE_KINDS.index(kind) + 1 for kind in ("sun", "cloud", "cottage", "tree", "lake")
)
# For each part 1 more than the index of its thing, 0 for what is no thing.
PART_THINGS = PART_INSTANCES.long()
PART_THINGS[SCENE_PARTS.index("lake")] = len(ALL)
FIRST_HOUSE, FIRST_TREE = (ALL.index(name) + 1 for name in ("house 1", "tree 1"))


@dataclass(frozen=True)
class Slots:
    """The slots of a layout, and which thing of a scene each of them takes.

    Attributes
    ----------
    names : tuple of str
        A name for each of the S slots.
    choose : callable
        ``choose(scenes)`` returns int64 (N, S): 1 more than an index into ``ALL``, or 0 for an
        empty slot.
    """

    names: tuple
    choose: Callable


def _seen(scenes):
    """Choose what is seen: the sun, clouds, houses, trees and the lake; empty slots come last."""
    parts = PART_THINGS.to(scenes.parts.device)[scenes.parts.long()].flatten(1)  # (N, pixels)
    shown = torch.zeros(len(parts), len(ALL) + 1, dtype=torch.int64, device=parts.device)
    shown.scatter_add_(1, parts, torch.ones_like(parts))
    seen = shown[:, 1:] * 64**2 >= LEAST * scenes.size**2
    order = (~seen).long().argsort(dim=1, stable=True)[:, : len(THINGS.names)]
    return (order + 1) * seen.gather(1, order)


def _houses(scenes):
    k = torch.arange(3, device=scenes.factors.houses.device)
    return torch.where(k <= scenes.factors.houses[:, None], FIRST_HOUSE + k, 0)


def _trees(scenes):
    """Choose trees of one kind: slot k has the k-th that took a place, whichever kind it is."""
    rank, kind = scenes.factors.tree_ranks, scenes.factors.tree_kinds
    place = torch.arange(6, device=rank.device)
    slots = torch.zeros(len(rank), 3, dtype=torch.int64, device=rank.device)
    return slots.scatter_add_(1, rank % 3, torch.where(kind > 0, FIRST_TREE + place, 0))


THINGS = Slots(tuple(f"thing {k}" for k in range(1, 9)), _seen)
HOUSES = Slots(tuple(f"house {k}" for k in range(1, 4)), _houses)
# For scenes whose trees are all of one kind, of which there are three at most.
TREES = Slots(tuple(f"tree {k}" for k in range(1, 4)), _trees)


def count(factors):
    """Return how many things a scene has, seen or hidden, int64 (N,)."""
    return (_kinds(factors) > 0).sum(1)


def kinds(factors, chosen):
    """Return the kind of the thing in each slot.

    Parameters
    ----------
    factors : gancourse.toons.SceneFactors
        Of N scenes.
    chosen : int64 torch.Tensor, (N, S)
        What :class:`Slots` chose.

    Returns
    -------
    int64 torch.Tensor, (N, S)
        1 more than an index into SCENE_KINDS; 0 in an empty slot.
    """
    return torch.nn.functional.pad(_kinds(factors), (1, 0)).gather(1, chosen)


def _kinds(f):
    """Return the kind of each of ``ALL``, int64 (N, 14): 0 for what a scene has not."""
    k = torch.arange(3, device=f.codes.device)
    clouds = torch.where(k < f.clouds[:, None], CLOUD, 0)
    styles = torch.stack([f.house_1, f.house_2, f.house_3], 1)
    houses = torch.where(k <= f.houses[:, None], COTTAGE + styles, 0)
    trees = torch.where(f.tree_kinds > 0, TREE - 1 + f.tree_kinds, 0)
    sun = torch.full_like(f.water, SUN)[:, None]
    return torch.cat([sun, clouds, houses, trees, f.water[:, None] * LAKE], 1)


def numbers(scenes, chosen):
    """Return the slot to whose thing each pixel belongs.

    Parameters
    ----------
    scenes : gancourse.toons.Scenes
    chosen : int64 torch.Tensor, (N, S)
        What :class:`Slots` chose, for these scenes or for the same at another size.

    Returns
    -------
    uint8 torch.Tensor, (N, size, size)
        0 for no thing, else 1 more than the index of a slot.
    """
    slots = torch.arange(1, chosen.shape[1] + 1, device=chosen.device).expand_as(chosen)
    table = torch.zeros(len(chosen), len(ALL) + 1, dtype=torch.int64, device=chosen.device)
    table.scatter_(1, chosen, slots)
    table[:, 0] = 0  # where empty slots have written
    things = PART_THINGS.to(chosen.device)[scenes.parts.long()]
    return table.gather(1, things.flatten(1)).view_as(things).byte()


def boxes(scenes, chosen):
    """Return the box of the thing in each slot, as far as it is seen.

    Parameters
    ----------
    scenes, chosen
        See :func:`numbers`.

    Returns
    -------
    int64 torch.Tensor, (N, S, 4)
        Left, top, right, bottom in pixels; all -1 in an empty slot and for what is hidden.
    """
    found = numbers(scenes, chosen)
    return torch.stack([extent(found == k + 1) for k in range(chosen.shape[1])], 1)
