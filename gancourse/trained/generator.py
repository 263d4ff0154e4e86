"""A trained generator: weights, the code that they belong to, and what is known of them."""

import torch

from gancourse import fields
from gancourse.errors import CourseError, choose
from gancourse.gans import blocks


class TrainedGenerator:
    """Draws samples of what it is given; made by :func:`pretrained` and :func:`load`.

    Parameters
    ----------
    gan : GAN
        With the networks that its file publishes.
    module : module
        The file of ``gancourse.gans`` that the weights were trained with.
    card : dict, optional
        ``model``, ``data``, ``step``, ``seed``, ``config``, ``fields``, ...; for what ships also
        the measured quality. Left out, for a GAN that was trained just now.

    Attributes
    ----------
    gan, module, card
        As above.
    fields : dict of str to gancourse.fields.Field
        What it can be given, by name.
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
        """Return what z, (n, latent_dim), becomes: (n, C, H, W) in [-1, 1]; see :meth:`sample`."""
        return self.sample(len(z), z=z, **({} if labels is None else {"labels": labels}))

    @property
    def cfg(self):
        """The configuration of the run."""
        return self.gan.cfg

    @property
    def netG(self):
        """The first network that is published: its average of weights, if the run kept one."""
        return next(iter(self.gan.generators().values()))

    @property
    def latent_dim(self):
        """How many numbers make a z."""
        return self.cfg.latent_dim

    @property
    def given(self):
        """The names of what it is given; "z" is the noise."""
        return next(iter(self.module.SAMPLES.values()))

    @property
    def pictures(self):
        """The name of the pictures that it translates; None if it is given none."""
        of_pictures = (n for n in self.given if isinstance(self.fields.get(n), fields.Pictures))
        return next(of_pictures, None)

    def draw_z(self, n, seed=0):
        """Return n latent vectors of the model's prior, (n, latent_dim)."""
        device = blocks.device_of(self.netG)
        generator = torch.Generator(device).manual_seed(seed)
        return self.module.draw_z(self.cfg, n, generator, device)

    def sample(self, n=None, seed=0, *, z=None, **given):
        """Draw samples; a pure function of what it is given.

        Parameters
        ----------
        n : int, optional
            How many; if left out, as many as there are rows in what is given.
        seed : int
            Of all that is drawn at random: the same seed gives the same samples.
        z : Tensor, (n, latent_dim), optional
            The noise itself, where the model takes noise.
        **given
            What else the model takes, by the names in ``given``: a row for each sample, or one
            for all, in any form that the field takes. Classes that are left out come in turn.

        Returns
        -------
        Tensor, (n, C, H, W) in [-1, 1], or (n, 2)
            Without gradient.

        Raises
        ------
        CourseError
            If ``n`` is not a positive number, or something doesn't fit the model or is missing.
        """
        names = self._names(given)
        if z is not None and "z" not in names:
            raise CourseError(f"{self!r} draws from no noise: leave out z.")
        rows = self._rows(n, z, given)
        taken = {name: self._value(name, given.get(name), rows) for name in names if name != "z"}
        if "z" in names:
            taken["z"] = z
        return self.module.sample(self.gan, rows, seed=seed, **taken)

    def translate(self, images, *conditions, seed=0, **given):
        """Translate pictures: :meth:`sample` by position.

        Parameters
        ----------
        images : Tensor, (N, C, H, W)
            In [-1, 1], of the size and the channels that the model was trained on.
        *conditions, **given
            What else it takes, in the order of ``given``, or by name.
        seed : int
            Of all that is drawn at random.

        Returns
        -------
        Tensor, (N, C, H, W)
            In [-1, 1], without gradient.

        Raises
        ------
        CourseError
            As for :meth:`sample`; or if the model is given no pictures.
        """
        if self.pictures is None:
            raise CourseError(f"{self!r} is given no pictures: use sample(n).")
        rest = [name for name in self.given if name not in (self.pictures, "z")]
        given |= {self.pictures: images} | dict(zip(rest, conditions, strict=False))
        return self.sample(seed=seed, **given)

    def _names(self, given):
        """Return the names of the way to sample that takes what is given."""
        for names in self.module.SAMPLES.values():
            if given.keys() <= {*names}:
                return names
        known = {name for names in self.module.SAMPLES.values() for name in names}
        for name in given:
            choose(f"input of {self.card['model']}", name, sorted(known))
        raise CourseError(f"{self!r} takes {' or '.join(sorted(known))}, not all at once.")

    def _rows(self, n, z, given):
        if n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 1):
            raise CourseError(f"n is how many samples to draw, 1 or more, not {n!r}")
        if z is not None:
            rows, shape = n or len(z), (self.latent_dim,)
            if tuple(z.shape) != (rows, *shape):
                raise CourseError(
                    f"z must have the shape ({rows}, {self.latent_dim}), but has {tuple(z.shape)}"
                )
            return rows
        found = [len(self.fields[name].check(name, value)) for name, value in given.items()]
        if n is None and not found:
            raise CourseError(f"{self!r} needs n, how many samples to draw, or what to draw of.")
        return n or max(found)

    def _value(self, name, value, rows):
        if value is None:
            value = self.fields[name].default(rows)
        if value is None:
            raise CourseError(f"{self!r} needs {name}=: {self.fields[name]}.")
        return self.fields[name].check(name, value, rows)
