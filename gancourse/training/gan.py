"""The container that a GAN file's ``build`` returns."""

from types import SimpleNamespace

from gancourse.training.ema import EMA


class GAN(SimpleNamespace):
    """The networks, the optimizers and the other parts of a GAN, by name.

    Each part is an attribute. Every part that has a ``state_dict`` is saved in checkpoints.

    Parameters
    ----------
    cfg : dataclass
        The frozen configuration that the parts were built from.
    published : sequence of str
        The networks that a trained generator's file holds.
    frozen : dict of str to torch.nn.Module, optional
        Networks that are used and not trained; they are not saved in checkpoints.
    **parts
        ``netG``, ``netD``, ``opt_g``, ``opt_d``, schedules, averages, an image pool, ...

    Attributes
    ----------
    step : int
        The number of training steps made.
    """

    def __init__(self, cfg, published, frozen=None, **parts):
        frozen = frozen or {}
        super().__init__(cfg=cfg, published=tuple(published), frozen=frozen, step=0, **parts)

    def parts(self):
        """Return every part that has a state to save, by name."""
        return {name: part for name, part in vars(self).items() if hasattr(part, "state_dict")}

    def generators(self):
        """Return the networks to sample from, by name: averages where there are any."""
        averages = [part for part in vars(self).values() if isinstance(part, EMA)]
        found = {}
        for name in self.published:
            net = getattr(self, name)
            found[name] = next((ema.net for ema in averages if ema.follows(net)), net)
        return found
