"""A generator for the explorers that draw from noise: its images are a known function of z."""

import torch


class Noise:
    """A generator with z uniform in [low, high], or from N(0, 1) if ``low`` is None."""

    def __init__(self, draw, latent_dim, low=-1.0, high=1.0):
        self.draw, self.latent_dim, self.low, self.high = draw, latent_dim, low, high

    def __call__(self, z, *labels):
        return self.draw(z, *labels)

    def draw_z(self, n, seed=0):
        shape, source = (n, self.latent_dim), torch.Generator().manual_seed(seed)
        if self.low is None:
            return torch.randn(shape, generator=source)
        return self.low + (self.high - self.low) * torch.rand(shape, generator=source)
