"""Variety within a class, shares of variance, and the style of handwritten digits.

A conditional generator with a single perfect picture of each class would have a class accuracy of
100 %. These measures show whether its pictures of a class differ, and in what.
"""

import torch

from gancourse.errors import CourseError

# The weights of the five scales of MS-SSIM (Wang et al. 2003). Each scale halves the side.
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW = 7  # the side of SSIM's window, in pixels


def class_similarity(images, labels, pairs=200):
    """Return the mean MS-SSIM of pairs of pictures within each class, as in the ACGAN paper.

    The pairs are disjoint (Odena et al. 2017, arXiv 1610.09585, section 4.2). The paper uses five
    scales on 128 pixels; we use a window of 7 pixels and as many scales as fit, so that values of
    different picture sizes cannot be compared.

    Parameters
    ----------
    images : float torch.Tensor, (N, C, H, W) in [-1, 1]
    labels : integer torch.Tensor, (N,)
        Classes, counted from 0, with at least two pictures each.
    pairs : int
        The largest number of pairs in a class, which are made of its first pictures.

    Returns
    -------
    float torch.Tensor, (classes,)
        From 0 (no similarity) to 1 (identical pictures).

    Raises
    ------
    CourseError
        If a class has fewer than two pictures, or the pictures are too small.
    """
    from torchmetrics.functional import image as similarity  # takes seconds to import

    ms_ssim = similarity.multiscale_structural_similarity_index_measure
    fit = [n for n in range(1, len(SCALES) + 1) if (WINDOW - 1) * 2 ** (n - 1) < images.shape[-1]]
    if not fit:
        raise CourseError(
            f"expected pictures at least {WINDOW} pixels wide, found {images.shape[-1]} pixels"
        )
    weights = tuple((torch.tensor(SCALES[: fit[-1]]) / sum(SCALES[: fit[-1]])).tolist())
    means = []
    for c in range(int(labels.max()) + 1):
        of_class = (images[labels.to(images.device) == c][: 2 * pairs] + 1) / 2
        half = len(of_class) // 2
        if not half:
            raise CourseError(f"class {c}: expected at least 2 pictures, found {len(of_class)}")
        a, b = of_class[:half], of_class[half : 2 * half]
        alike = ms_ssim(a, b, sigma=0.8, kernel_size=WINDOW, betas=weights, data_range=1.0)
        means.append(alike.cpu())
    return torch.stack(means)


def class_spread(images, labels, judge, classes=10):
    """Return the variance of a judge's features within each class, summed over the features.

    It has no unit of its own: divide it by that of real pictures.

    Parameters
    ----------
    images : float torch.Tensor, (N, C, H, W) in [-1, 1]
    labels : integer torch.Tensor, (N,)
        Classes, counted from 0.
    judge : Judge
        Any object whose ``features(images)`` returns (N, d).
    classes : int
        The number of classes.

    Returns
    -------
    float torch.Tensor, (classes,)
        At least 0; NaN for a class with fewer than two pictures.
    """
    features, spreads = judge.features(images).cpu(), torch.full((classes,), torch.nan)
    for c in range(classes):
        of_class = features[labels.cpu() == c]
        if len(of_class) > 1:
            spreads[c] = of_class.var(0).sum()
    return spreads


def readable_spread(images, labels, real_images, real_labels, judge, classes=10):
    """Return the ratio of generated to real :func:`class_spread` within each class.

    Generated pictures whose predicted class is not their label are left out, because a picture of
    another class adds no variety to its own.

    Parameters
    ----------
    images, real_images : float torch.Tensor, (N, C, H, W) and (M, C, H, W) in [-1, 1]
    labels, real_labels : integer torch.Tensor, (N,) and (M,)
        Classes, counted from 0.
    judge : Judge
        Any object with ``predict(images)``, (N,), and ``features(images)``, (N, d).
    classes : int
        The number of classes.

    Returns
    -------
    float torch.Tensor, (classes,)
        1 where the pictures vary as much as real ones; NaN for a class with fewer than two
        pictures of the right class.
    """
    readable = judge.predict(images).cpu() == labels.cpu()
    chosen = readable.to(images.device)
    if not readable.any():
        return torch.full((classes,), torch.nan)
    found = class_spread(images[chosen], labels.cpu()[readable], judge, classes)
    return found / class_spread(real_images, real_labels, judge, classes)


def variance_shares(table):
    """Split the variance of pixels between two factors: a two-way analysis of variance.

    Parameters
    ----------
    table : float torch.Tensor, (A, B, ...)
        One picture for each pair of A values of the first factor, such as z, and B values of the
        second, such as the label.

    Returns
    -------
    of_a, of_b, of_both : float
        The shares of the main effect of the first factor, of the main effect of the second, and
        of their interaction. They add to 1.

    Raises
    ------
    CourseError
        If all pictures are equal.
    """
    x = table.detach().flatten(2).double()  # (A, B, pixels)
    mean = x.mean((0, 1), True)
    of_a, of_b = x.mean(1, True) - mean, x.mean(0, True) - mean
    parts = torch.stack([part.square().mean() for part in (of_a, of_b, x - mean - of_a - of_b)])
    if not parts.sum() > 0:
        raise CourseError("expected pictures that differ; all are equal, without any variance")
    return tuple((parts / parts.sum()).tolist())


def stroke_style(images):
    """Measure the ink, the slant and the stroke width of handwritten digits.

    Parameters
    ----------
    images : float torch.Tensor, (N, 1, H, W) in [-1, 1]
        Light strokes on a dark ground.

    Returns
    -------
    float torch.Tensor, (N, 3)
        The ink, as an area in pixels; the slant, in pixels to the right per pixel upwards, from
        second moments; the mean stroke width in pixels, twice the area over the perimeter.
    """
    p = (images[:, 0] + 1) / 2  # (N, H, W), 1 is ink
    y, x = torch.meshgrid(*(torch.arange(n, device=p.device) for n in p.shape[1:]), indexing="ij")
    ink = p.sum((1, 2)).clamp(min=1e-6)
    dx, dy = (t - ((p * t).sum((1, 2)) / ink)[:, None, None] for t in (x, y))
    slant = -(p * dx * dy).sum((1, 2)) / (p * dy * dy).sum((1, 2)).clamp(min=1e-6)
    steps = p.diff(dim=2)[:, 1:].square() + p.diff(dim=1)[:, :, 1:].square()
    width = 2 * ink / steps.sqrt().sum((1, 2)).clamp(min=1e-6)
    return torch.stack([ink, slant, width], 1)
