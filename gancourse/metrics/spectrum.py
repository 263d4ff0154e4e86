"""What frequencies a generator draws, and the checkerboard that transposed convolutions leave."""

import torch

from gancourse.errors import CourseError


def power_spectrum(images):
    """Return the mean power of each frequency in a set of pictures.

    Parameters
    ----------
    images : float torch.Tensor, (N, C, H, W)

    Returns
    -------
    float32 torch.Tensor, (H, W), on the CPU
        Mean over pictures and channels, each less its own mean; the lowest frequency in the
        middle, and in row 0 and column 0 the highest, a pattern of period 2.
    """
    if images.ndim != 4:
        raise CourseError(
            f"a spectrum is taken of pictures (N, C, H, W), not {tuple(images.shape)}"
        )
    centred = images.float() - images.float().mean((2, 3), keepdim=True)
    power = torch.fft.fft2(centred, norm="ortho").abs().square().mean((0, 1))
    return torch.fft.fftshift(power).cpu()


def checkerboard(images):
    """Return how much a pattern of period 2 stands out from the frequencies beside it.

    Where a transposed convolution with a stride of 2 paints every second pixel more often than
    its neighbours, the picture has a pattern of period 2 (Odena, Dumoulin, Olah 2016,
    doi:10.23915/distill.00003).

    Parameters
    ----------
    images : float torch.Tensor, (N, C, H, W)
        H and W even and at least 16.

    Returns
    -------
    float
        The mean power of the highest frequencies, row 0 and column 0 of :func:`power_spectrum`,
        over that of the rows and columns 2 and 3. About 1 for noise, below 1 for pictures that
        are smooth, above 1 for a checkerboard.
    """
    height, width = images.shape[-2:]
    if height % 2 or width % 2 or min(height, width) < 16:
        raise CourseError(
            f"a checkerboard is looked for in even sides of 16 or more, not {height}x{width}"
        )
    power = power_spectrum(images)
    highest = torch.cat([power[0], power[:, 0]]).mean()
    beside = torch.cat([power[2:4].flatten(), power[:, 2:4].flatten()]).mean()
    return (highest / beside).item()
