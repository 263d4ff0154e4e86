"""Drawing faces: the order of the painters, and the pictures and maps that come out."""

from functools import cached_property

import torch

from gancourse.toons import features, hair, wear
from gancourse.toons.factors import code, sample
from gancourse.toons.look import PART_CLASSES, PARTS, start
from gancourse.toons.render import Drawings, extent


def paint(s):
    """Draw everything on a :class:`~gancourse.toons.sheet.Sheet`, from back to front.

    The boxes say where a painter can leave a trace, whatever the factors; they only save work.
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
    # Over a fringe, as comics do: brows say too much to be hidden.
    s.draw(features.brows, box=(-0.38, -0.3, 0.38, 0.04))
    s.draw(wear.earrings, box=(-0.55, 0.16, 0.55, 0.29), where=s.earrings == 1)
    s.draw(wear.glasses, box=(-0.51, -0.14, 0.51, 0.32), where=s.glasses > 0)
    s.draw(wear.hat, box=(-0.8, -0.9, 0.8, -0.05), where=s.hat > 0)


class Faces(Drawings):
    """Faces as pictures and as maps, each drawn when it is first asked for.

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
        """Those with the same hair together, so that fewer painters are called for each chunk."""
        return self.factors.hair.argsort(stable=True)

    @property
    def semantic(self):
        """What kind of thing each pixel shows, uint8 (N, size, size): an index into CLASSES.

        Both eyes are one class, as are both ears and both brows; else it is as :attr:`parts`.
        """
        return PART_CLASSES.to(self.parts.device)[self.parts.long()]

    @property
    def masks(self):
        """The pixels of every part, bool (N, number of PARTS, size, size)."""
        numbers = torch.arange(len(PARTS), dtype=torch.uint8, device=self.parts.device)
        return self.parts[:, None] == numbers.view(1, -1, 1, 1)

    @cached_property
    def boxes(self):
        """The least box around what is seen of every part, int64 (N, number of PARTS, 4).

        Left, top, right, bottom in pixels: the part lies in ``[:, top:bottom, left:right]``. All
        four are -1 where nothing is seen of the part.
        """
        boxes = [extent(self.parts == number) for number in range(len(PARTS))]
        return torch.stack(boxes, 1)


def faces(n, size=64, seed=0, *, device="cpu", bias=None, shares=None):
    """Return ``n`` faces drawn at random; the first k are the same for every ``n``.

    Parameters
    ----------
    n : int
    size : int
        Side of the pictures in pixels, 32 to 256. The faces are the same at every size.
    seed : int
        At least 0.
    device : str or torch.device
        Where they are drawn.
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
    """Return the faces with these factors, so that a single one of them can be changed.

    Parameters
    ----------
    factors : Factors
        From :func:`sample`, perhaps with :meth:`Factors.replace`.
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
