"""Things in a picture: how well a mask fits, how far a thing moved, and what changed around it."""

from typing import NamedTuple

import torch

from gancourse.errors import CourseError
from gancourse.metrics.looks import nearest_truth
from gancourse.toons import SCENE_CLASSES, SCENE_KINDS

# The classes of a scene's pixels that belong to things of each kind; a house has three.
HOUSE = ("wall", "roof", "window")
CLASSES_OF = {"cottage": HOUSE, "townhouse": HOUSE, "chalet": HOUSE, "fir": ("tree",)}


class Change(NamedTuple):
    """What :func:`change` returns, each a mean absolute difference from 0 to 1.

    A value of 1 is the distance from black to white.

    Attributes
    ----------
    inside : float
        Over the pixels of the mask; NaN if no picture has any.
    outside : float
        Over all other pixels; NaN if there are none.
    """

    inside: float
    outside: float


class Switched(NamedTuple):
    """What :func:`switched` returns, each bool (N, K), on the CPU.

    Attributes
    ----------
    right : torch.Tensor
        Things that have the other kind.
    lost : torch.Tensor
        Things that are nearest to none.
    judged : torch.Tensor
        Things that can be judged; the others are neither right nor lost.
    """

    right: torch.Tensor
    lost: torch.Tensor
    judged: torch.Tensor


def mask_iou(predicted, truth, threshold=0.5):
    """Return the intersection over union of each predicted mask with the true one.

    Parameters
    ----------
    predicted, truth : torch.Tensor, (N, K, H, W)
        Masks of K things, bool or from 0 to 1; on any device. Slot k of one belongs to slot k of
        the other.
    threshold : float
        A pixel belongs to a mask if its value is above.

    Returns
    -------
    float64 torch.Tensor, (N, K), on the CPU
        From 0 to 1; NaN where the true mask is empty, as in the slots that a layout doesn't fill.
        The mean of the others is ``mask_iou(...).nanmean()``.

    Raises
    ------
    CourseError
        If the shapes differ, or are others.
    """
    a, b = (_masks(masks, truth) > threshold for masks in (predicted, truth))
    both, either = ((x.flatten(2).sum(2)).double().cpu() for x in (a & b, a | b))
    return torch.where(b.flatten(2).any(2).cpu(), both / either, torch.nan)


def seen_as(classes, kinds):
    """Return for each thing which pixels show something of its kind.

    Parameters
    ----------
    classes : integer torch.Tensor, (N, H, W)
        Indices into ``toons.SCENE_CLASSES``, such as the judge of scenes predicts them.
    kinds : integer torch.Tensor, (N, K)
        1 more than an index into ``toons.SCENE_KINDS``; 0 for an empty slot.

    Returns
    -------
    bool torch.Tensor, (N, K, H, W)
        Of all things of the kind, wherever they stand: multiply it with a box. A round tree and a
        fir are both of the class "tree", and the three houses have the same classes.
    """
    table = torch.zeros(len(SCENE_KINDS) + 1, len(SCENE_CLASSES), dtype=torch.bool)
    for number, kind in enumerate(SCENE_KINDS, 1):
        for name in CLASSES_OF.get(kind, (kind,)):
            table[number, SCENE_CLASSES.index(name)] = True
    rows = table.to(classes.device)[kinds.to(classes.device)]  # (N, K, classes)
    index = classes.long().flatten(1)[:, None].expand(-1, kinds.shape[1], -1)
    return rows.gather(2, index).unflatten(2, classes.shape[1:])


def centroids(masks):
    """Return the centre of mass of each mask.

    Parameters
    ----------
    masks : torch.Tensor, (N, K, H, W)
        Bool, or weights of at least 0.

    Returns
    -------
    float64 torch.Tensor, (N, K, 2), on the CPU
        x and y in pixels, from 0 for the centre of the first column or row; NaN for an empty mask.

    Raises
    ------
    CourseError
        If the shape is another one.
    """
    masks = _masks(masks, masks).double().cpu()
    whole = masks.sum((2, 3))
    x, y = (torch.arange(side, dtype=torch.float64) for side in (masks.shape[3], masks.shape[2]))
    return torch.stack([masks.sum(2) @ x, masks.sum(3) @ y], 2) / whole[..., None]


def centroid_shift(before, after):
    """Return by how much the centre of each thing moved.

    Parameters
    ----------
    before, after : torch.Tensor, (N, K, H, W)
        Masks of K things, bool or weights of at least 0. Slot k of both is one thing.

    Returns
    -------
    float64 torch.Tensor, (N, K, 2), on the CPU
        To the right and down, in pixels; NaN where one of the masks is empty.

    Raises
    ------
    CourseError
        If the shapes differ, or are others.
    """
    return centroids(_masks(after, before)) - centroids(before)


def change(before, after, mask):
    """Return how much pictures changed inside and outside of a region.

    Every pixel of all pictures together counts alike.

    Parameters
    ----------
    before, after : float torch.Tensor, (N, C, H, W) in [-1, 1]
    mask : torch.Tensor, (N, H, W)
        The region of each picture: bool, or numbers of which those above 1/2 are in it. Of several
        things it is the union: ``masks.amax(1)``.

    Returns
    -------
    Change

    Raises
    ------
    CourseError
        If the shapes do not fit.
    """
    if before.shape != after.shape or before.ndim != 4 or mask.shape != before[:, 0].shape:
        raise CourseError(
            "expected pictures (N, C, H, W) before and after, and one mask (N, H, W) for each, "
            f"found {tuple(before.shape)}, {tuple(after.shape)} and {tuple(mask.shape)}"
        )
    inside = (mask > 0.5).cpu()
    apart = (after - before).abs().double().mean(1).cpu() / 2  # (N, H, W)
    return Change(apart[inside].mean().item(), apart[~inside].mean().item())


def kinds(pictures, truths, regions):
    """Return which of some true pictures each thing of a picture is nearest to.

    Parameters
    ----------
    pictures : float torch.Tensor, (N, C, H, W) in [-1, 1]
    truths : float torch.Tensor, (N, T, C, H, W) in [-1, 1]
        The same scene with T kinds of its things; one of them may lack them.
    regions : torch.Tensor, (N, K, H, W)
        Where each thing is judged, 0 or 1. Where the kinds have different shapes, take the pixels
        that belong to the thing in one of the true pictures alone: colour cannot deceive there.

    Returns
    -------
    nearest : int64 torch.Tensor, (N, K), on the CPU
        From 0 to T - 1; -1 for an empty region.
    distances : float32 torch.Tensor, (N, K, T), on the CPU
        The mean absolute difference to each true picture, from 0 to 1; NaN for an empty region.

    Raises
    ------
    CourseError
        If the shapes do not fit.
    """
    if regions.ndim != 4 or pictures.ndim != 4:
        raise CourseError(
            "expected pictures (N, C, H, W) and regions (N, K, H, W), found "
            f"{tuple(pictures.shape)} and {tuple(regions.shape)}"
        )
    found = [nearest_truth(pictures[:, None], truths, region) for region in regions.unbind(1)]
    nearest, distances = zip(*found, strict=True)
    return torch.cat(nearest, 1), torch.cat(distances, 1)


def switched(pictures, truths, before, after, within=0.75, least=1 / 256):
    """Return which things of translated pictures have the other kind, and its shape.

    Parameters
    ----------
    pictures : float torch.Tensor, (N, C, H, W) in [-1, 1]
    truths : float torch.Tensor, (N, 2 or 3, C, H, W) in [-1, 1]
        The scene as it was, with things of the other kind, and, if that is known, without them.
    before, after : torch.Tensor, (N, K, H, W)
        The masks of the things in the first two, 0 or 1. Slot k of both is one thing.
    within : float
        How large the error may be, in the pixels of both masks, as a share of that of doing
        nothing.
    least : float
        The share of a picture that a thing must have in both, so that one can say what it is.

    Returns
    -------
    Switched
        A thing is right if it is nearest to the other kind in the pixels that belong to one of the
        two masks alone, and its error is small enough. It is lost if it is nearest to the scene
        without it there, and in the pixels of both.

    Notes
    -----
    Of 192 round trees in scenes of 32 pixels that should become firs, 3 % are right if they are
    painted in the fir's colour, 4 % halfway between both pictures, 2 % painted grey, 40 % if the
    pixels of both trees are grey, 73 % if they have the mean colour of the fir that should be
    there, and 91 % of the true firs blurred by 3 by 3 pixels.
    """
    differs, both = (before - after).abs(), torch.maximum(before, after)
    shape, _ = kinds(pictures, truths, differs)
    whole, error = kinds(pictures, truths, both)
    _, idle = kinds(truths[:, 0], truths, both)
    sizes = [(masks > 0.5).flatten(2).float().mean(2).cpu() for masks in (before, after)]
    judged = (sizes[0] >= least) & (sizes[1] >= least) & (shape >= 0)
    near = error[..., 1] < within * idle[..., 1]
    return Switched(judged & (shape == 1) & near, judged & (shape == 2) & (whole == 2), judged)


def _masks(masks, like):
    """Return masks that have the shape of others."""
    if masks.ndim != 4 or masks.shape != like.shape:
        raise CourseError(
            "expected masks (N, things, H, W) of one shape, found "
            f"{tuple(masks.shape)} and {tuple(like.shape)}"
        )
    return masks
