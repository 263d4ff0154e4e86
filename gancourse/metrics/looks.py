"""Many answers to one input: which of the true ones are found, and how different they are.

Where the renderer knows all true pictures, the nearest one needs no judge, and specks that would
fool a judge move a picture away from the truth.
"""

from typing import NamedTuple

import torch

from gancourse.errors import CourseError

CHUNK = 64  # inputs that are compared at once


class Looks(NamedTuple):
    """What :func:`looks_covered` returns, each on the CPU.

    Attributes
    ----------
    nearest : int64 torch.Tensor, (N, K)
        Which true picture is nearest to each sample.
    distance : float32 torch.Tensor, (N, K)
        The mean absolute difference to it, from 0 to 1.
    covered : int64 torch.Tensor, (N,)
        How many of the true pictures are the nearest one of a sample that counts.
    """

    nearest: torch.Tensor
    distance: torch.Tensor
    covered: torch.Tensor


def nearest_truth(samples, truths, mask=None):
    """Return which of some true pictures is nearest to each sample.

    Parameters
    ----------
    samples : float torch.Tensor, (N, K, C, H, W) in [-1, 1]
        K samples for each of N inputs.
    truths : float torch.Tensor, (N, T, C, H, W) in [-1, 1]
        T true pictures for each input: its looks; or the same scene with either kind of tree.
    mask : torch.Tensor, (N, H, W), optional
        The region to compare, bool, or numbers of which those above 1/2 are in it; if left out,
        the whole picture. In the region of one instance, the result is its kind.

    Returns
    -------
    nearest : int64 torch.Tensor, (N, K), on the CPU
        Of equally near pictures the first; -1 where the mask is empty.
    distances : float32 torch.Tensor, (N, K, T), on the CPU
        The mean absolute difference to each, from 0 to 1, the distance from black to white; NaN
        where the mask is empty.

    Raises
    ------
    CourseError
        If the shapes do not fit, or a sample is not finite.
    """
    fit = samples.ndim == truths.ndim == 5 and samples.shape[1] and truths.shape[1]
    if not fit or (len(samples), *samples.shape[2:]) != (len(truths), *truths.shape[2:]):
        raise CourseError(
            "expected samples (N, K, C, H, W) and true pictures (N, T, C, H, W), found "
            f"{tuple(samples.shape)} and {tuple(truths.shape)}"
        )
    size = (len(samples), *samples.shape[3:])
    if mask is not None and tuple(mask.shape) != size:
        raise CourseError(f"expected a mask {size}, found {tuple(mask.shape)}")
    if not samples.isfinite().all():
        raise CourseError("a sample has a value that is not finite: no picture is nearest to it")
    found = []
    for first in range(0, len(samples), CHUNK):
        rows = slice(first, first + CHUNK)
        region = None if mask is None else mask[rows]
        # One true picture after the other: all together would take T times the memory.
        truth = truths[rows].to(samples.device).unbind(1)
        far = [_distance(samples[rows], one[:, None], region) for one in truth]
        found.append(torch.stack(far, 2).float().cpu())
    distances = torch.cat(found)
    nearest = torch.where(distances[..., 0].isnan(), -1, distances.argmin(2))
    return nearest, distances


def _distance(samples, truth, mask):
    """Return the mean absolute difference, (N, K), of samples and one true picture for each row."""
    apart = (samples - truth).abs().mean(2) / 2  # (N, K, H, W)
    if mask is None:
        return apart.mean((2, 3))
    inside = (mask > 0.5).to(apart)[:, None]
    return (apart * inside).sum((2, 3)) / inside.sum((2, 3))


def looks_covered(samples, truths, within=0.5, blocks=4):
    """Count how many of the true pictures of an input its samples come nearest to.

    Parameters
    ----------
    samples, truths
        See :func:`nearest_truth`.
    within : float or None
        A sample counts only if its distance is at most so many times that of the true picture to
        the nearest other one. With 1/2, what lies between the looks, such as their mean, covers
        none. With None every sample counts, whatever it shows.
    blocks : int
        Means of so many by so many pixels are compared: colours count, and not texture.

    Returns
    -------
    Looks

    Raises
    ------
    CourseError
        See :func:`nearest_truth`.

    Notes
    -----
    The ceiling is the true pictures as samples; the floor is one sample repeated, which covers 1.
    Of 40 scenes of 32 pixels, true pictures that were blurred (5 by 5 pixels) covered 11.9 of the
    12 looks with the defaults, and with noise of standard deviation 0.1 all; the mean of the looks
    and uniform noise covered none. Pixel by pixel (``blocks=1``) the blurred ones covered 3.4: the
    nights of spring and of summer differ by 0.03 alone.
    """
    samples, truths = (_blocks(pictures, blocks) for pictures in (samples, truths))
    nearest, distances = nearest_truth(samples, truths)
    distance = distances.gather(2, nearest[..., None])[..., 0]
    counts = torch.ones_like(nearest, dtype=torch.bool)
    if within is not None:
        _, between = nearest_truth(truths, truths)
        between.diagonal(dim1=1, dim2=2).fill_(torch.inf)
        counts = distance <= within * between.amin(2).gather(1, nearest)
    hit = torch.zeros(distances.shape[0], distances.shape[2], dtype=torch.int64)
    hit.scatter_reduce_(1, nearest, counts.long(), "amax")
    return Looks(nearest, distance, hit.sum(1))


def _blocks(pictures, side):
    """Return the means of blocks of pixels of pictures, (N, K, C, H, W)."""
    if pictures.ndim != 5 or side == 1:
        return pictures
    means = torch.nn.functional.avg_pool2d(pictures.flatten(0, 1), side)
    return means.unflatten(0, pictures.shape[:2])


def diversity(samples, features=None):
    """Return the mean distance of two samples of one input.

    Parameters
    ----------
    samples : float torch.Tensor, (N, K, C, H, W) in [-1, 1]
        K of at least 2 samples for each of N inputs.
    features : callable, optional
        ``features(images)``, such as that of a judge, returns (M, d); the distance is then the
        Euclidean one of features. If left out, it is the mean absolute difference of pixels, from 0
        to 1.

    Returns
    -------
    float
        Over all pairs of all inputs: 0 for samples that are equal.

    Raises
    ------
    CourseError
        If there are not two samples for an input.

    Notes
    -----
    BicycleGAN (Zhu et al. 2017, arXiv 1711.11586) takes LPIPS of consecutive samples; a
    judge's features take the place of that network, so that the numbers cannot be compared. All
    pairs have the same mean as consecutive ones, with less noise, and no order.
    """
    if samples.ndim != 5 or samples.shape[1] < 2 or not len(samples):
        raise CourseError(
            "expected two samples or more for each input, (N, K, C, H, W), found "
            f"{tuple(samples.shape)}"
        )
    count, size = samples.shape[1], samples[0, 0].numel()
    total = 0.0
    for part in samples.split(CHUNK):
        if features is None:
            rows, p, scale = part, 1, 2 * size
        else:
            rows, p, scale = features(part.flatten(0, 1)).unflatten(0, (-1, count)), 2, 1
        rows = rows.flatten(2).float()
        total += sum(torch.nn.functional.pdist(one, p).double().mean().item() for one in rows)
    return total / scale / len(samples)


def relative_diversity(samples, real, features=None):
    """Return the :func:`diversity` of samples over that of real answers to the same inputs.

    Parameters
    ----------
    samples, real : float torch.Tensor, (N, K, C, H, W) and (N, T, C, H, W) in [-1, 1]
        The true pictures of each input, such as its looks, each equally often.
    features : callable, optional
        See :func:`diversity`.

    Returns
    -------
    float
        0 if the samples of an input are equal, 1 if they differ as real ones do; K draws of T equal
        looks differ by (T - 1) / T of that, since two draws can be of one look.

    Raises
    ------
    CourseError
        If there are not two of each for an input, or the real ones are equal.
    """
    there = diversity(real, features)
    if not there > 0:
        raise CourseError("the real pictures of each input are equal: they have no diversity")
    return diversity(samples, features) / there
