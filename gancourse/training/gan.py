"""The plain container that a GAN file's ``build`` returns."""

from types import SimpleNamespace


class GAN(SimpleNamespace):
    """Networks, optimizers and whatever else a GAN consists of, by name.

    There is nothing to inherit and nothing to override: ``GAN(cfg, netG=..., opt_g=...)``
    keeps each part as an attribute. Whatever has a ``state_dict`` is part of a checkpoint;
    networks whose name begins with ``netG`` are what is published. The average of ``netG`` is
    called ``ema``, that of ``netG_AB`` is ``ema_AB``.

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
        """Return the networks to sample from, by name: averages where there are any."""
        nets = {name: net for name, net in self.parts().items() if name.startswith("netG")}
        averages = {name: getattr(self, name.replace("netG", "ema", 1), None) for name in nets}
        return {
            name: net if averages[name] is None else averages[name].net
            for name, net in nets.items()
        }
