"""Points in the plane from a mixture of Gaussians, whose density is known exactly."""

import math
from dataclasses import replace

import torch

from gancourse.data.source import BATCH_KEY, lacks
from gancourse.errors import DataError
from gancourse.fields import Points


class Mixture:
    """A mixture of isotropic Gaussians of equal weight in the plane.

    Parameters
    ----------
    means : float torch.Tensor, (K, 2)
        The centres of the K modes.
    std : float
        The standard deviation of every mode, along each axis, in the units of ``means``.
    name : str
    """

    fields = {"real": Points()}  # noqa: RUF012 - the same for every mixture

    def __init__(self, means, std, name):
        if means.ndim != 2 or means.shape[1] != 2 or not len(means) or not std > 0:
            raise DataError(
                f"{name}: expected means of shape (K, 2) and a std above 0, "
                f"found {tuple(means.shape)} and {std}"
            )
        self.means = means.float()
        self.std = float(std)
        self.name = name

    def __repr__(self):
        return f"<{self.name}: {len(self.means)} modes, std {self.std} on {self.means.device}>"

    def to(self, device):
        """Return the same mixture on another device."""
        return Mixture(self.means.to(device), self.std, self.name)

    def fingerprint(self):
        """Return the modes and their spread; see :class:`gancourse.data.source.Data`."""
        return {"means": self.means.tolist(), "std": self.std}

    def take(self, *names, like=None):
        """Return the mixture: a batch holds points, "real", and nothing else."""
        for name in names:
            if name not in self.fields:
                raise lacks(self.name, name, self.fields)
        return self

    def first(self, limit):
        """Raise DataError: there is no first point."""
        raise DataError(f"{self.name} takes no limit: every batch is of new points.")

    def resized(self, image_size):
        """Raise DataError: points have no size."""
        raise DataError(f"{self.name} takes no image_size: it has points, not pictures.")

    def sample(self, n, generator):
        """Draw ``n`` points, float32 (n, 2), on the generator's device."""
        device = generator.device
        mode = torch.randint(len(self.means), (n,), generator=generator, device=device)
        noise = torch.randn(n, 2, generator=generator, device=device)
        return self.means.to(device)[mode] + self.std * noise

    def log_prob(self, points):
        """Return the exact natural logarithm of the density.

        Parameters
        ----------
        points : float torch.Tensor, (n, 2)

        Returns
        -------
        torch.Tensor, (n,)
            Per unit of area; on the device and in the precision of ``points``.
        """
        means = self.means.to(points)
        square = (points[:, None] - means).square().sum(-1)  # (n, K)
        log_modes = -square / (2 * self.std**2) - math.log(2 * math.pi * self.std**2)
        return log_modes.logsumexp(1) - math.log(len(means))

    def preview(self, n, run):
        """Return the points of the first step; see :meth:`gancourse.data.source.Data.preview`."""
        return self.batch(0, n, replace(run, process=0, processes=1)), True

    def batch(self, step, size, run):
        """Return ``{"real": points}``, (size, 2), drawn for this step; see :class:`Data`."""
        return {"real": run.share(self.sample(size, run.generator(BATCH_KEY, step)))}


def ring(modes=8, radius=1.0, std=0.01):
    """Return a mixture whose modes lie at equal distances on a circle.

    The defaults are those of PacGAN's 2D-ring (Lin et al. 2018, arXiv:1712.04086; the numbers are
    also in its authors' code).

    Parameters
    ----------
    modes : int
        At least 1.
    radius, std : float
        In the same units.

    Raises
    ------
    DataError
        If there is no mode.
    """
    if modes < 1:
        raise DataError(f"a ring has at least 1 mode, not {modes}")
    angles = torch.arange(modes, dtype=torch.float64) * (2 * math.pi / modes)
    means = radius * torch.stack([angles.cos(), angles.sin()], dim=1)
    return Mixture(means, std, "ring" if modes == 8 else f"ring:{modes}")


def grid(modes=25, spacing=2.0, std=0.05):
    """Return a mixture whose modes lie on a square grid around the origin.

    The defaults are those of PacGAN's 2D-grid (Lin et al. 2018, arXiv:1712.04086; the numbers are
    also in its authors' code): 5 by 5 modes, from -4 to 4.

    Parameters
    ----------
    modes : int
        A square number: 4, 9, 16, ...
    spacing, std : float
        In the same units.

    Raises
    ------
    DataError
        If ``modes`` is not a square number.
    """
    side = math.isqrt(max(modes, 0))
    if modes < 1 or side * side != modes:
        below, above = max(side, 1) ** 2, (side + 1) ** 2
        near = f"{below} or {above}" if below != above else f"{above}"
        raise DataError(f"a grid has a square number of modes, not {modes}. Take {near}.")
    line = (torch.arange(side) - (side - 1) / 2) * spacing
    return Mixture(
        torch.cartesian_prod(line, line), std, "grid" if modes == 25 else f"grid:{modes}"
    )
