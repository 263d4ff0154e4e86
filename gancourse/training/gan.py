"""The plain container that a GAN file's ``build`` returns."""

from types import SimpleNamespace


class GAN(SimpleNamespace):
    """Networks, optimizers and whatever else a GAN consists of, by name.

    There is nothing to inherit and nothing to override: ``GAN(cfg, netG=..., opt_g=...)``
    keeps each part as an attribute. Whatever has a ``state_dict`` is part of a checkpoint;
    networks whose name begins with ``netG``, and averages of them, are what is published.

    Parameters
    ----------
    cfg : dataclass
        The frozen configuration that the parts were built from.
    **parts
        ``netG``, ``netD``, ``opt_g``, ``opt_d``, schedules, ``ema``, an image pool, ...

    Attributes
    ----------
    step : int
        How many training steps were made.
    """

    def __init__(self, cfg, **parts):
        super().__init__(cfg=cfg, step=0, **parts)

    def parts(self):
        """Return every part that has a state to save, by name."""
        return {name: part for name, part in vars(self).items() if hasattr(part, "state_dict")}

    def generators(self):
        """Return the generator networks and their averages, by name."""
        return {n: p for n, p in self.parts().items() if n.startswith(("netG", "ema"))}
