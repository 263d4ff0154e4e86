"""How near a restored picture is to the original: PSNR and SSIM on brightness.

Super-resolution papers measure both on the Y channel of the picture's YCbCr form, without a border
of a few pixels (Ledig et al. 2017, arXiv 1609.04802, section 3.1). torchmetrics computes them.
"""

from gancourse.errors import CourseError

# Y of ITU-R BT.601 in the range of video, as MATLAB's rgb2ycbcr, which the papers' scores are of.
WEIGHTS = (65.481, 128.553, 24.966)
OFFSET = 16.0


def brightness(images):
    """Return the Y channel of pictures, (N, 1, H, W) from 16 to 235.

    Parameters
    ----------
    images : float torch.Tensor, (N, 3, H, W) in [-1, 1]
        Or grey ones, (N, 1, H, W), whose value is taken for all three colours.
    """
    weights = images.new_tensor(WEIGHTS).view(1, 3, 1, 1)
    return (images.expand(-1, 3, -1, -1) * 0.5 + 0.5).mul(weights).sum(1, keepdim=True) + OFFSET


def psnr(truth, restored, border=4):
    """Return the mean peak signal-to-noise ratio of pictures on Y, in dB; higher is nearer.

    Parameters
    ----------
    truth, restored : float torch.Tensor, (N, C, H, W) in [-1, 1]
    border : int
        Pixels that are left out on each side; 4 for four times the side, as in the papers.

    Returns
    -------
    float
        Infinite if a picture is restored exactly.

    Raises
    ------
    CourseError
        If the shapes differ, or nothing is left within the border.
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio  # takes seconds to import

    a, b = _cut(truth, restored, border)
    each = peak_signal_noise_ratio(b, a, data_range=255.0, dim=(1, 2, 3), reduction="none")
    return each.mean().item()


def ssim(truth, restored, border=4):
    """Return the mean structural similarity of pictures on Y, at most 1; higher is nearer.

    Wang et al. 2004, doi 10.1109/TIP.2003.819861, with a Gaussian window of 11 pixels.

    Parameters
    ----------
    truth, restored, border
        See :func:`psnr`; at least 11 pixels must be left on each side.

    Returns
    -------
    float

    Raises
    ------
    CourseError
        See :func:`psnr`.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    a, b = _cut(truth, restored, border)
    if min(a.shape[2:]) < 11:
        raise CourseError(f"ssim needs 11 pixels a side within the border, found {a.shape[2:]}.")
    return structural_similarity_index_measure(b, a, data_range=255.0).item()


def _cut(truth, restored, border):
    """Return the brightness of both without the border."""
    if truth.shape != restored.shape or truth.ndim != 4 or truth.shape[1] not in (1, 3):
        raise CourseError(
            "expected two sets of pictures (N, 1 or 3, H, W) of one shape, found "
            f"{tuple(truth.shape)} and {tuple(restored.shape)}"
        )
    height, width = (side - 2 * border for side in truth.shape[2:])
    if min(height, width) < 1:
        raise CourseError(f"a border of {border} leaves nothing of {tuple(truth.shape[2:])} pixels")
    inner = (..., slice(border, border + height), slice(border, border + width))
    return brightness(truth)[inner].contiguous(), brightness(restored)[inner].contiguous()
