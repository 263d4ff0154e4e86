"""Drawn scenes: the order of the painters, and the pictures and maps that they paint."""

from functools import cached_property, partial

import torch

from gancourse.errors import DataError
from gancourse.toons import scene_land as land
from gancourse.toons import scene_things as things
from gancourse.toons.quilt import start
from gancourse.toons.render import Drawings, extent
from gancourse.toons.scene_factors import SceneFactors
from gancourse.toons.scene_look import (
    CLOUD_PLACES,
    HOUSE_PLACES,
    PART_CLASSES,
    PART_INSTANCES,
    SCENE_INSTANCES,
    SCENE_PALETTE,
    TREE_PLACES,
)


def paint(s):
    """Paint a scene on a :class:`~gancourse.toons.sheet.Sheet`, from back to front.

    A box contains every pixel that its painter can change, whatever the factors. The boxes save
    time and do not change the picture.
    """
    s.draw(land.sky)
    s.draw(land.sun, box=(-0.9, -0.9, 0.9, -0.25))
    for k, (x, y, size) in enumerate(CLOUD_PLACES):
        box = (x - 0.3 - 0.34 * size, y - 0.27 * size, x + 0.3 + 0.34 * size, y + 0.1 * size)
        s.draw(partial(land.cloud, k=k), box=box, where=s.clouds > k)
    s.draw(land.hills, box=(-1, -0.55, 1, 0.4))
    s.draw(land.meadow, box=(-1, 0, 1, 1))
    s.draw(land.lake, box=(-1, 0.45, 1, 0.8), where=s.water == 1)
    s.draw(land.road, box=(-1, 0.1, 1, 1), where=s.road > 0)
    standing = [(y, "house", k) for k, (_, y, _) in enumerate(HOUSE_PLACES)]
    standing += [(y, "tree", k) for k, (_, y, _) in enumerate(TREE_PLACES)]
    for _, what, k in sorted(standing):
        if what == "house":
            _house(s, k)
        else:
            _tree(s, k)


def _house(s, k):
    x, y, size = HOUSE_PLACES[k]
    size *= 1.1
    reach = 0.07 + size * 0.93  # from the middle to the end of the longest shadow
    for side, middle in ((0, x), (1, -x)):
        box = (middle - reach, y - 0.95 * size, middle + reach, y + 0.25 * size)
        where = (s.houses >= k) & (s.side == side)
        s.draw(partial(things.house, k=k), box=box, where=where)


def _tree(s, k):
    x, y, size = TREE_PLACES[k]
    size *= 1.13
    reach = 0.09 + size * 0.8
    box = (x - reach, y - 0.74 * size, x + reach, y + 0.12 * size)
    for kind in (1, 2):
        s.draw(partial(things.tree, k=k, kind=kind), box=box, where=s.tree_kind[:, k] == kind)


class Scenes(Drawings):
    """Scenes as pictures and as maps, each drawn when it is first accessed.

    Parameters
    ----------
    factors : SceneFactors
    size : int
        Side of the pictures in pixels, 32 to 256.

    Notes
    -----
    ``images``, ``sketch`` and ``parts`` are as in :class:`Drawings`; the numbers of the parts are
    indices into SCENE_PARTS.
    """

    kind = "scenes"
    start = staticmethod(start)
    paint = staticmethod(paint)

    @cached_property
    def quilts(self):
        """The scenes as quilts, uint8 (N, 3, size, size): see :mod:`gancourse.toons.quilt`."""
        return self._render("quilt")

    @property
    def semantic(self):
        """The class of each pixel, uint8 (N, size, size): an index into SCENE_CLASSES.

        It does not depend on the season and the time of day.
        """
        return PART_CLASSES.to(self.parts.device)[self.parts.long()]

    @property
    def instances(self):
        """The instance to which each pixel belongs, uint8 (N, size, size).

        0 for sky, hills, meadow, lake and road, which have no instances; otherwise 1 more than an
        index into SCENE_INSTANCES.
        """
        return PART_INSTANCES.to(self.parts.device)[self.parts.long()]

    @property
    def masks(self):
        """The mask of each instance, bool (N, number of SCENE_INSTANCES, size, size)."""
        numbers = torch.arange(1, len(SCENE_INSTANCES) + 1, device=self.parts.device)
        return self.instances[:, None] == numbers.view(1, -1, 1, 1)

    @cached_property
    def boxes(self):
        """The bounding box of each instance, int64 (N, number of SCENE_INSTANCES, 4).

        Left, top, right, bottom in pixels: the visible part of the instance lies in
        ``[:, top:bottom, left:right]``. All four are -1 if no part is visible.
        """
        instances = self.instances
        numbers = range(1, len(SCENE_INSTANCES) + 1)
        return torch.stack([extent(instances == number) for number in numbers], 1)


def scenes(n, size=64, seed=0, *, device="cpu", bias=None, shares=None):
    """Return ``n`` random scenes.

    Parameters
    ----------
    n : int
        The first k scenes are the same for every ``n``.
    size : int
        Side of the pictures in pixels, 32 to 256. The scenes are the same at every size.
    seed : int
        At least 0.
    device : str or torch.device
        The device on which they are drawn.
    bias, shares
        As in :func:`gancourse.toons.sample`, with the names of SCENE_FACTORS.

    Returns
    -------
    Scenes

    Examples
    --------
    >>> some = scenes(4, size=32)
    >>> some.images.shape, some.boxes.shape
    (torch.Size([4, 3, 32, 32]), torch.Size([4, 13, 4]))
    """
    return Scenes(SceneFactors.sample(n, seed, bias=bias, shares=shares).to(device), size)


def draw_scenes(factors, size=64):
    """Return the scenes with the given factors.

    Parameters
    ----------
    factors : SceneFactors
        To change a factor of existing scenes: ``scenes.factors.replace(season="winter")``.
    size : int
        Side of the pictures in pixels, 32 to 256.

    Returns
    -------
    Scenes

    Examples
    --------
    >>> village = scenes(1, size=32).factors
    >>> summer, winter = (draw_scenes(village.replace(season=s), 32) for s in ("summer", "winter"))
    >>> bool((summer.semantic == winter.semantic).all())
    True
    """
    return Scenes(factors, size)


def palette_image(semantic):
    """Return semantic maps as pictures in the colours of SCENE_PALETTE.

    Parameters
    ----------
    semantic : integer torch.Tensor, (N, H, W)
        Indices into SCENE_CLASSES.

    Returns
    -------
    uint8 torch.Tensor, (N, 3, H, W)

    Raises
    ------
    DataError
        If the shape, the data type or a class is not that of a semantic map.
    """
    if semantic.ndim != 3 or semantic.is_floating_point():
        raise DataError(
            "expected integer semantic maps (N, H, W), found "
            f"{str(semantic.dtype).removeprefix('torch.')} {tuple(semantic.shape)}"
        )
    if semantic.numel() and not 0 <= semantic.min() <= semantic.max() < len(SCENE_PALETTE):
        raise DataError(
            f"expected classes in 0..{len(SCENE_PALETTE) - 1}, found {semantic.min().item()}.."
            f"{semantic.max().item()}"
        )
    return SCENE_PALETTE.to(semantic.device)[semantic.long()].permute(0, 3, 1, 2).contiguous()
