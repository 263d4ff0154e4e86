"""Which colours a set of pictures has, and how much of them another set shares."""

import torch

from gancourse.errors import CourseError

# Linear sRGB to CIE XYZ, and the white of D65: IEC 61966-2-1, with the digits of
# http://www.brucelindbloom.com/index.html?Eqn_RGB_XYZ_Matrix.html
RGB_TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
WHITE = (0.95047, 1.0, 1.08883)
EPSILON, KAPPA = 216 / 24389, 24389 / 27  # where the cube root becomes a straight line
REACH = 112  # no sRGB colour has an a* or b* farther from 0 than 107.9
CHUNK = 500  # pictures at once


def rgb_to_lab(images):
    """Convert pictures from sRGB to CIE 1976 L*a*b* under D65, as the 2 degree observer sees it.

    Parameters
    ----------
    images : float torch.Tensor, (N, 3, H, W) in [-1, 1]
        What lies a little outside, as a generator's output may in half precision, is clamped.

    Returns
    -------
    float32 torch.Tensor, (N, 3, H, W)
        L* from 0 (black) to 100 (white); a* from green (-86) to red (98); b* from blue (-108) to
        yellow (94). Greys have a* = b* = 0.

    Raises
    ------
    CourseError
        If these are no colour pictures in [-1, 1].
    """
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
        raise CourseError(
            "colours are taken of float pictures (N, 3, H, W) in [-1, 1], found "
            f"{str(images.dtype).removeprefix('torch.')} {tuple(images.shape)}"
        )
    low, high = (end.item() for end in images.detach().aminmax()) if images.numel() else (0, 0)
    if not -1.01 <= low <= high <= 1.01:  # NaN fails too
        raise CourseError(f"pictures must lie in [-1, 1], found {low:.3g} to {high:.3g}")
    rgb = (images.float().clamp(-1, 1) + 1) / 2
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    # In full precision whatever the device prefers: a grey shall have no colour.
    matrix = torch.tensor(RGB_TO_XYZ, device=rgb.device) / rgb.new_tensor(WHITE)[:, None]
    xyz = (matrix[:, :, None, None] * linear[:, None]).sum(2)  # (N, 3, H, W), white is 1, 1, 1
    f = torch.where(xyz > EPSILON, xyz.clamp(min=EPSILON) ** (1 / 3), (KAPPA * xyz + 16) / 116)
    x, y, z = f.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def lab_histograms(images, width=2.0):
    """Return how often each value of L*, a* and b* occurs in a set of pictures.

    Parameters
    ----------
    images : float torch.Tensor, (N, 3, H, W) in [-1, 1]
    width : float
        Of a bin, in units of L*, a* and b*; the bins cover -112 to 112.

    Returns
    -------
    centres : float64 torch.Tensor, (bins,)
        The middle of each bin.
    shares : float64 torch.Tensor, (3, bins), on the CPU
        Each row, of L*, a* and b*, adds to 1: over the pixels of all pictures together.

    Raises
    ------
    CourseError
        If there are no pixels, these are no colour pictures in [-1, 1], or the width is not
        positive.
    """
    if not width > 0:
        raise CourseError(f"a bin's width must be above 0, not {width!r}")
    if not images.numel():
        raise CourseError("there are no pictures to take colours of")
    bins = -int(-2 * REACH // width)  # rounded up
    counts = torch.zeros(3, bins, dtype=torch.float64)
    for part in images.detach().split(CHUNK):
        # The small addition keeps black and greys, which are 0 but for rounding, in one bin.
        place = ((rgb_to_lab(part) + REACH + 1e-3) / width).long().clamp(0, bins - 1).cpu()
        for row, values in zip(counts, place.transpose(0, 1), strict=True):
            row += values.flatten().bincount(minlength=bins)
    centres = (torch.arange(bins, dtype=torch.float64) + 0.5) * width - REACH
    return centres, counts / counts.sum(1, keepdim=True)


def histogram_intersection(real, fake, width=2.0):
    """Return how much of the real colours the generated pictures have, for L*, a* and b*.

    ``sum_k min(p_k, q_k)`` over the bins k, with p and q the marginal histograms of one of the
    three values over all pixels of all pictures (Swain and Ballard 1991, "Color Indexing",
    doi:10.1007/BF00130487, for histograms that add to 1). 1 where the histograms are equal, 0
    where they have no bin in common.

    Parameters
    ----------
    real, fake : float torch.Tensor, (N, 3, H, W) in [-1, 1]
        As many of one as of the other or not; where a colour is, plays no part.
    width : float
        Of a bin, in units of L*, a* and b*. Wider bins give higher values.

    Returns
    -------
    tuple of three floats
        For L*, a* and b*, each from 0 to 1.

    Raises
    ------
    CourseError
        If these are no colour pictures in [-1, 1], or the width is not positive.

    Notes
    -----
    Pix2Pix measures so whether a generator's colours are as rich as the real ones (Isola et al.
    2017, arXiv 1611.07004, section 4.2 and figure 7): L1 alone prefers the average, which is
    greyish. The paper does not say how wide its bins are.
    """
    p, q = (lab_histograms(images, width)[1] for images in (real, fake))
    return tuple(torch.minimum(p, q).sum(1).tolist())
