"""A trained generator: its weights, its code and its card."""

import torch

from gancourse import fields
from gancourse.errors import CourseError, choose
from gancourse.gans import blocks


class TrainedGenerator:
    """A generator that draws samples or translates; :func:`pretrained` and :func:`load` return one.

    Parameters
    ----------
    gan : GAN
        Holds the networks that the GAN's file publishes.
    module : module
        The file of ``gancourse.gans`` that the weights were trained with.
    card : dict, optional
        ``model``, ``data``, ``step``, ``seed``, ``config``, ``fields``, ...; for generators that
        ship also the measured quality. A GAN that was just trained needs none.

    Attributes
    ----------
    gan, module, card
        As above.
    fields : dict of str to gancourse.fields.Field
        Its inputs besides the noise, and its outputs, by name.
    """

    def __init__(self, gan, module, card=None):
        self.gan, self.module = gan, module
        self.card = {"model": module.__name__.rpartition(".")[2], "step": gan.step} | (card or {})
        known = {name: fields.read(found) for name, found in self.card.get("fields", {}).items()}
        self.fields = {
            name: known[name] if name in known and field.fits(known[name]) else field
            for name, field in module.inputs(gan.cfg).items()
        }

    def __repr__(self):
        model, data = self.card["model"], self.card.get("data", "unknown data")
        return f"<{model} trained on {data}, {self.card['step']:,} steps>"

    def __call__(self, z, labels=None):
        """Return samples of latent vectors z, (n, latent_dim); see :meth:`sample`."""
        return self.sample(len(z), z=z, **({} if labels is None else {"labels": labels}))

    @property
    def cfg(self):
        """The configuration of the run."""
        return self.gan.cfg

    @property
    def netG(self):
        """The first published network, with averaged weights if the run kept an average."""
        return next(iter(self.gan.generators().values()))

    @property
    def latent_dim(self):
        """The number of values in one latent vector."""
        return self.cfg.latent_dim

    @property
    def given(self):
        """The names of its inputs, "z" for the noise; those of the first way if it has several."""
        return next(iter(self.module.SAMPLES.values()))

    @property
    def pictures(self):
        """The name of the input that holds pictures to translate; None if there is none."""
        of_pictures = (n for n in self.given if isinstance(self.fields.get(n), fields.Pictures))
        return next(of_pictures, None)

    def draw_z(self, n, seed=0):
        """Draw n latent vectors, (n, latent_dim), from the model's prior."""
        device = blocks.device_of(self.netG)
        generator = torch.Generator(device).manual_seed(seed)
        return self.module.draw_z(self.cfg, n, generator, device)

    def sample(self, n=None, seed=0, *, z=None, **given):
        """Draw samples; the result depends on the arguments alone.

        Parameters
        ----------
        n : int, optional
            How many; if left out, as many as the inputs have rows.
        seed : int
            Seed of all random numbers: the same seed gives the same samples.
        z : Tensor, (n, latent_dim), optional
            The noise itself; ``seed`` then does not choose it.
        **given
            The other inputs, by the names in :attr:`given`: a row for each sample, or one row for
            all, in any form that the field accepts. Without ``labels``, classes come in turn.

        Returns
        -------
        Tensor, (n, C, H, W) or (n, 2)
            Pictures in [-1, 1], or points; without gradient.

        Raises
        ------
        CourseError
            If ``n`` is not a positive number, or an input is missing, unknown or does not fit.
        """
        names = self._names(given)
        if z is not None and "z" not in names:
            raise CourseError(f"{self!r} takes no noise: leave out z.")
        rows = self._rows(n, z, given)
        taken = {name: self._value(name, given.get(name), rows) for name in names if name != "z"}
        if "z" in names:
            taken["z"] = z
        return self.module.sample(self.gan, rows, seed=seed, **taken)

    def translate(self, images, *conditions, seed=0, **given):
        """Translate pictures; as :meth:`sample`, with the inputs by position.

        Parameters
        ----------
        images : Tensor, (N, C, H, W)
            In [-1, 1], with the size and the channels of the training pictures.
        *conditions, **given
            The other inputs, in the order of :attr:`given`, or by name.
        seed : int
            Seed of all random numbers.

        Returns
        -------
        Tensor, (N, C, H, W)
            In [-1, 1], without gradient.

        Raises
        ------
        CourseError
            As for :meth:`sample`; or if the model takes no pictures.
        """
        if self.pictures is None:
            raise CourseError(f"{self!r} takes no pictures: use sample(n).")
        rest = [name for name in self.given if name not in (self.pictures, "z")]
        given |= {self.pictures: images} | dict(zip(rest, conditions, strict=False))
        return self.sample(seed=seed, **given)

    def _names(self, given):
        """Return the input names of the first way to sample that takes all given inputs."""
        for names in self.module.SAMPLES.values():
            if given.keys() <= {*names}:
                return names
        known = {name for names in self.module.SAMPLES.values() for name in names}
        for name in given:
            choose(f"input of {self.card['model']}", name, sorted(known))
        raise CourseError(f"{self!r} takes {' or '.join(sorted(known))}: give only one of them.")

    def _rows(self, n, z, given):
        if n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 1):
            raise CourseError(f"n is the number of samples, 1 or more, not {n!r}.")
        if z is not None:
            rows, shape = n or len(z), (self.latent_dim,)
            if tuple(z.shape) != (rows, *shape):
                raise CourseError(
                    f"z must have the shape ({rows}, {self.latent_dim}), not {tuple(z.shape)}."
                )
            return rows
        found = [len(self.fields[name].check(name, value)) for name, value in given.items()]
        if n is None and not found:
            raise CourseError(f"{self!r} needs n, the number of samples, or an input.")
        return n or max(found)

    def _value(self, name, value, rows):
        if value is None:
            value = self.fields[name].default(rows)
        if value is None:
            raise CourseError(f"{self!r} needs {name}=: {self.fields[name]}.")
        return self.fields[name].check(name, value, rows)
