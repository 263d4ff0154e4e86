"""Colour histograms in CIE L*a*b*, and how far the histograms of two sets of pictures overlap."""

import torch

from gancourse.errors import CourseError

# The matrix from linear sRGB to CIE XYZ, and the white point D65: IEC 61966-2-1, with the digits of
# http://www.brucelindbloom.com/index.html?Eqn_RGB_XYZ_Matrix.html
RGB_TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
WHITE = (0.95047, 1.0, 1.08883)
EPSILON, KAPPA = 216 / 24389, 24389 / 27  # up to EPSILON a line replaces the cube root
REACH = 112  # the histograms cover -112 to 112; the largest |a*| or |b*| in sRGB is 107.9
WIDTH = 2.0  # of a bin, in units of L*, a* and b*
CHUNK = 500  # pictures that are converted at once


def rgb_to_lab(images):
    """Convert pictures from sRGB to CIE 1976 L*a*b* (illuminant D65, 2 degree observer).

    Parameters
    ----------
    images : float torch.Tensor, (N, 3, H, W) in [-1, 1]
        Values up to 0.01 outside, as in a generator's half-precision output, are clamped.

    Returns
    -------
    float32 torch.Tensor, (N, 3, H, W)
        L* runs from 0 (black) to 100 (white), a* from -86 (green) to 98 (red), b* from -108 (blue)
        to 94 (yellow). Greys have a* = b* = 0.

    Raises
    ------
    CourseError
        If the shape, the data type or the range of the pictures is another one.
    """
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
        raise CourseError(
            "expected float colour pictures (N, 3, H, W) in [-1, 1], found "
            f"{str(images.dtype).removeprefix('torch.')} {tuple(images.shape)}. Convert bytes by "
            "/ 127.5 - 1; greys have no colours to measure."
        )
    low, high = (end.item() for end in images.detach().aminmax()) if images.numel() else (0, 0)
    if not -1.01 <= low <= high <= 1.01:  # NaN fails too
        raise CourseError(
            f"expected pictures in [-1, 1], found {low:.3g} to {high:.3g}. Scale them first."
        )
    rgb = (images.float().clamp(-1, 1) + 1) / 2
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    # Not a matrix product: in TF32 or bf16 it would give greys a colour.
    matrix = torch.tensor(RGB_TO_XYZ, device=rgb.device) / rgb.new_tensor(WHITE)[:, None]
    xyz = (matrix[:, :, None, None] * linear[:, None]).sum(2)  # (N, 3, H, W), white is 1, 1, 1
    f = torch.where(xyz > EPSILON, xyz.clamp(min=EPSILON) ** (1 / 3), (KAPPA * xyz + 16) / 116)
    x, y, z = f.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def lab_histograms(images):
    """Return the marginal histograms of L*, a* and b* over all pixels of a set of pictures.

    Parameters
    ----------
    images : float torch.Tensor, (N, 3, H, W) in [-1, 1]

    Returns
    -------
    centres : float64 torch.Tensor, (bins,)
        The centre of each bin. The bins are 2 wide and cover -112 to 112.
    shares : float64 torch.Tensor, (3, bins), on the CPU
        One row each for L*, a* and b*: the share of all pixels in each bin. A row adds to 1.

    Raises
    ------
    CourseError
        If there are no pictures, or :func:`rgb_to_lab` refuses them.
    """
    if not images.numel():
        raise CourseError("expected at least one picture to measure colours, found none")
    bins = int(2 * REACH / WIDTH)
    counts = torch.zeros(3, bins, dtype=torch.float64)
    for part in images.detach().split(CHUNK):
        # Rounding puts the 0 of blacks and greys on either side of a bin's edge; 0.001 decides it.
        place = ((rgb_to_lab(part) + REACH + 1e-3) / WIDTH).long().clamp(0, bins - 1).cpu()
        for row, values in zip(counts, place.transpose(0, 1), strict=True):
            row += values.flatten().bincount(minlength=bins)
    centres = (torch.arange(bins, dtype=torch.float64) + 0.5) * WIDTH - REACH
    return centres, counts / counts.sum(1, keepdim=True)


def histogram_intersection(real, fake):
    """Return the histogram intersection of two sets of pictures, for each of L*, a* and b*.

    It is ``sum_k min(p_k, q_k)`` over the bins k, where p and q are the two sets' marginal
    histograms (Swain and Ballard 1991, "Color Indexing", doi:10.1007/BF00130487, for histograms
    that add to 1). It is 1 where the histograms are equal, and 0 where they have no bin in common.

    Parameters
    ----------
    real, fake : float torch.Tensor, (N, 3, H, W) and (M, 3, H, W) in [-1, 1]
        N and M may differ. Where in a picture a colour lies makes no difference.

    Returns
    -------
    tuple of three floats
        For L*, a* and b*, each from 0 to 1.

    Raises
    ------
    CourseError
        If there are no pictures, or :func:`rgb_to_lab` refuses them.

    Notes
    -----
    Pix2Pix uses this measure to compare the variety of a generator's colours with the real one
    (Isola et al. 2017, arXiv 1611.07004, section 4.2 and figure 7): L1 alone prefers the average
    colour, which is greyish. The paper does not state the width of its bins; ours is 2, and wider
    bins would give higher values.
    """
    p, q = (lab_histograms(images)[1] for images in (real, fake))
    return tuple(torch.minimum(p, q).sum(1).tolist())
