"""Power spectra of pictures, and the checkerboard artefact of transposed convolutions."""

import torch

from gancourse.errors import CourseError


def power_spectrum(images):
    """Return the mean power spectrum of a set of pictures.

    Parameters
    ----------
    images : float torch.Tensor, (N, C, H, W)

    Returns
    -------
    float32 torch.Tensor, (H, W), on the CPU
        The mean over pictures and channels, after the mean of each channel of each picture is
        subtracted. Frequency 0 is in the middle; row 0 and column 0 hold the highest frequency, a
        pattern of period 2.

    Raises
    ------
    CourseError
        If the shape is another one.
    """
    if images.ndim != 4:
        raise CourseError(f"expected pictures (N, C, H, W), found shape {tuple(images.shape)}")
    centred = images.float() - images.float().mean((2, 3), keepdim=True)
    power = torch.fft.fft2(centred, norm="ortho").abs().square().mean((0, 1))
    return torch.fft.fftshift(power).cpu()


def checkerboard(images):
    """Return the power of patterns of period 2, relative to that of slightly lower frequencies.

    A transposed convolution with stride 2 computes neighbouring pixels with different weights,
    and with an odd kernel from different numbers of inputs. Both can leave a pattern of period 2
    (Odena, Dumoulin, Olah 2016, doi:10.23915/distill.00003).

    Parameters
    ----------
    images : float torch.Tensor, (N, C, H, W)
        H and W are even and at least 16.

    Returns
    -------
    float
        The mean power in row 0 and column 0 of :func:`power_spectrum`, divided by that in rows
        and columns 2 and 3: about 1 for noise, below 1 for smooth pictures, above 1 for a
        checkerboard.

    Raises
    ------
    CourseError
        If a side is odd or less than 16.
    """
    height, width = images.shape[-2:]
    if height % 2 or width % 2 or min(height, width) < 16:
        raise CourseError(
            f"expected pictures with even sides of at least 16 pixels, found {height}x{width}"
        )
    power = power_spectrum(images)
    highest = torch.cat([power[0], power[:, 0]]).mean()
    beside = torch.cat([power[2:4].flatten(), power[:, 2:4].flatten()]).mean()
    return (highest / beside).item()
