"""What the pictures of one class have in common and where they differ, and how digits are written.

Class accuracy says whether a generator draws what it is told; a single perfect picture of each
class would score 100 %. These measures say what else there is.
"""

import torch
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as ms_ssim

from gancourse.errors import CourseError

# Of the five scales of Wang et al. 2003, as many as fit; each halves the side.
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW = 7  # pixels


def class_similarity(images, labels, pairs=200):
    """Return how alike two pictures of one class are, as the ACGAN paper measures it.

    The mean MS-SSIM of disjoint pairs within a class (Odena et al. 2017, arXiv 1610.09585,
    section 4.2). The paper's pictures have 128 pixels and five scales; here as many scales are
    used as fit, with a window of 7 pixels, so that values of different sizes do not compare.

    Parameters
    ----------
    images : float torch.Tensor, (N, C, H, W) in [-1, 1]
    labels : torch.Tensor of whole numbers, (N,)
        At least two pictures of each class.
    pairs : int
        Of each class, at most; the class's first pictures are taken.

    Returns
    -------
    Tensor, (classes,)
        From 0, nothing alike, to 1, twice the same picture; in the order of the class numbers.

    Raises
    ------
    CourseError
        If a class has fewer than two pictures, or the pictures are too small.
    """
    fit = [n for n in range(1, len(SCALES) + 1) if (WINDOW - 1) * 2 ** (n - 1) < images.shape[-1]]
    if not fit:
        raise CourseError(f"pictures need more than {WINDOW - 1} pixels, not {images.shape[-1]}")
    weights = tuple((torch.tensor(SCALES[: fit[-1]]) / sum(SCALES[: fit[-1]])).tolist())
    means = []
    for c in range(int(labels.max()) + 1):
        of_class = (images[labels.to(images.device) == c][: 2 * pairs] + 1) / 2
        half = len(of_class) // 2
        if not half:
            raise CourseError(f"class {c} has {len(of_class)} pictures; a pair needs two")
        a, b = of_class[:half], of_class[half : 2 * half]
        alike = ms_ssim(a, b, sigma=0.8, kernel_size=WINDOW, betas=weights, data_range=1.0)
        means.append(alike.cpu())
    return torch.stack(means)


def class_spread(images, labels, judge, classes=10):
    """Return how much pictures of one class differ in a judge's eyes.

    The trace of the covariance of the judge's features within each class. Only ratios mean
    anything: to the same number for real pictures.

    Parameters
    ----------
    images : float torch.Tensor, (N, C, H, W) in [-1, 1]
    labels : torch.Tensor of whole numbers, (N,)
    judge : Judge
        Anything whose ``features(images)`` are (N, d).
    classes : int

    Returns
    -------
    Tensor, (classes,)
        At least 0; NaN for a class with fewer than two pictures.
    """
    features, spreads = judge.features(images).cpu(), torch.full((classes,), torch.nan)
    for c in range(classes):
        of_class = features[labels.cpu() == c]
        if len(of_class) > 1:
            spreads[c] = of_class.var(0).sum()
    return spreads


def readable_spread(images, labels, real_images, real_labels, judge, classes=10):
    """Return the spread within each class over that of real pictures, by :func:`class_spread`.

    Only pictures that the judge reads as labelled count: a wrong digit is no variety.

    Parameters
    ----------
    images, real_images : float torch.Tensor, (N, C, H, W) and (M, C, H, W) in [-1, 1]
    labels, real_labels : torch.Tensor of whole numbers, (N,) and (M,)
    judge : Judge
        Has ``predict(images)``, (N,), and ``features(images)``, (N, d).
    classes : int

    Returns
    -------
    Tensor, (classes,)
        1 where the pictures differ as much as real ones; NaN for a class with fewer than two
        readable pictures.
    """
    readable = judge.predict(images).cpu() == labels.cpu()
    chosen = readable.to(images.device)
    if not readable.any():
        return torch.full((classes,), torch.nan)
    found = class_spread(images[chosen], labels.cpu()[readable], judge, classes)
    return found / class_spread(real_images, real_labels, judge, classes)


def variance_shares(table):
    """Split the variance of pictures that were drawn from every pair of two causes.

    Parameters
    ----------
    table : Tensor, (A, B, ...)
        For each of A values of one cause, such as z, and each of B of the other, such as y, a
        picture.

    Returns
    -------
    of_a, of_b, of_both : float
        Shares of the pixels' variance that the first cause decides whatever the other is, that
        the second does, and that depends on which two meet; together 1.

    Raises
    ------
    CourseError
        If all pictures are the same.
    """
    x = table.detach().flatten(2).double()  # (A, B, pixels)
    mean = x.mean((0, 1), True)
    of_a, of_b = x.mean(1, True) - mean, x.mean(0, True) - mean
    parts = torch.stack([part.square().mean() for part in (of_a, of_b, x - mean - of_a - of_b)])
    if not parts.sum() > 0:
        raise CourseError("all pictures are the same: there is no variance to be split")
    return tuple((parts / parts.sum()).tolist())


def stroke_style(images):
    """Measure how digits are written: ink, slant and stroke width.

    Parameters
    ----------
    images : float torch.Tensor, (N, 1, H, W) in [-1, 1]
        Light strokes on a dark ground.

    Returns
    -------
    Tensor, (N, 3)
        Ink in pixels; slant in pixels to the right per pixel upwards, from the second moments;
        mean stroke width in pixels, twice the ink over the length of its outline.
    """
    p = (images[:, 0] + 1) / 2  # (N, H, W), 1 is ink
    y, x = torch.meshgrid(*(torch.arange(n, device=p.device) for n in p.shape[1:]), indexing="ij")
    ink = p.sum((1, 2)).clamp(min=1e-6)
    dx, dy = (t - ((p * t).sum((1, 2)) / ink)[:, None, None] for t in (x, y))
    slant = -(p * dx * dy).sum((1, 2)) / (p * dy * dy).sum((1, 2)).clamp(min=1e-6)
    steps = p.diff(dim=2)[:, 1:].square() + p.diff(dim=1)[:, :, 1:].square()
    width = 2 * ink / steps.sqrt().sum((1, 2)).clamp(min=1e-6)
    return torch.stack([ink, slant, width], 1)
