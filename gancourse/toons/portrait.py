"""Drawn faces: the order of the painters, and the pictures and maps that they paint."""

from functools import cached_property

import torch

from gancourse.toons import features, hair, wear
from gancourse.toons.factors import code, sample
from gancourse.toons.look import PART_CLASSES, PARTS, start
from gancourse.toons.render import Drawings, extent


def paint(s):
    """Paint a face on a :class:`~gancourse.toons.sheet.Sheet`, from back to front.

    A box contains every pixel that its painter can change, whatever the factors. The boxes save
    time and do not change the picture.
    """
    s.draw(features.ground)
    s.draw(hair.hair_behind)
    body = {"box": (-0.8, 0.3, 0.8, 1.0), "frame": "body"}
    s.draw(wear.hood, where=s.clothes == code("clothes", "hoodie"), **body)
    s.draw(features.neck, **body)
    s.draw(wear.clothes, **body)
    s.draw(features.ears, box=(-0.57, -0.08, 0.57, 0.22))
    s.draw(features.head, box=(-0.5, -0.58, 0.5, 0.58))
    s.draw(features.freckles, box=(-0.36, 0.15, 0.36, 0.27), where=s.freckles == 1)
    s.draw(features.wrinkles, box=(-0.43, -0.36, 0.43, 0.35), where=s.age == code("age", "old"))
    s.draw(features.nose, box=(-0.09, 0.05, 0.09, 0.33))
    s.draw(hair.beard, box=(-0.53, 0.0, 0.53, 0.62), where=s.beard > 0)
    s.draw(features.mouth, box=(-0.25, 0.25, 0.25, 0.54))
    s.draw(features.eyes, box=(-0.42, -0.15, 0.42, 0.26))
    s.draw(hair.hair)
    # After the hair, as in comics: a fringe must not hide the brows, which show the expression.
    s.draw(features.brows, box=(-0.38, -0.3, 0.38, 0.04))
    s.draw(wear.earrings, box=(-0.55, 0.16, 0.55, 0.29), where=s.earrings == 1)
    s.draw(wear.glasses, box=(-0.51, -0.14, 0.51, 0.32), where=s.glasses > 0)
    s.draw(wear.hat, box=(-0.8, -0.9, 0.8, -0.05), where=s.hat > 0)


class Faces(Drawings):
    """Faces as pictures and as maps, each drawn when it is first accessed.

    Parameters
    ----------
    factors : Factors
    size : int
        Side of the pictures in pixels, 32 to 256.

    Notes
    -----
    ``images``, ``sketch`` and ``parts`` are as in :class:`Drawings`; the numbers of the parts are
    indices into PARTS.
    """

    kind = "faces"
    start = staticmethod(start)
    paint = staticmethod(paint)

    @property
    def order(self):
        """The order in which faces are drawn: by hair style, so that a chunk needs few painters."""
        return self.factors.hair.argsort(stable=True)

    @property
    def semantic(self):
        """The class of each pixel, uint8 (N, size, size): an index into CLASSES.

        The classes are the parts, except that both eyes, both ears and both brows are one each.
        """
        return PART_CLASSES.to(self.parts.device)[self.parts.long()]

    @property
    def masks(self):
        """The mask of each part, bool (N, number of PARTS, size, size)."""
        numbers = torch.arange(len(PARTS), dtype=torch.uint8, device=self.parts.device)
        return self.parts[:, None] == numbers.view(1, -1, 1, 1)

    @cached_property
    def boxes(self):
        """The bounding box of each part, int64 (N, number of PARTS, 4).

        Left, top, right, bottom in pixels: what is visible of the part lies in
        ``[:, top:bottom, left:right]``. All four are -1 if nothing is visible.
        """
        boxes = [extent(self.parts == number) for number in range(len(PARTS))]
        return torch.stack(boxes, 1)


def faces(n, size=64, seed=0, *, device="cpu", bias=None, shares=None):
    """Return ``n`` random faces.

    Parameters
    ----------
    n : int
        The first k faces are the same for every ``n``.
    size : int
        Side of the pictures in pixels, 32 to 256. The faces are the same at every size.
    seed : int
        At least 0.
    device : str or torch.device
        The device on which they are drawn.
    bias, shares
        See :func:`sample`.

    Returns
    -------
    Faces

    Examples
    --------
    >>> some = faces(4, size=32)
    >>> some.images.shape, some.boxes.shape
    (torch.Size([4, 3, 32, 32]), torch.Size([4, 17, 4]))
    """
    return Faces(sample(n, seed, bias=bias, shares=shares).to(device), size)


def draw(factors, size=64):
    """Return the faces with the given factors.

    Parameters
    ----------
    factors : Factors
        From :func:`sample`; :meth:`Factors.replace` changes some of them.
    size : int
        Side of the pictures in pixels, 32 to 256.

    Returns
    -------
    Faces

    Examples
    --------
    >>> someone = sample(1).replace(glasses="none")
    >>> before, after = draw(someone).images, draw(someone.replace(glasses="round")).images
    """
    return Faces(factors, size)
