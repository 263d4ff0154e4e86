"""A trained generator: its weights, its code and its card."""

import torch

from gancourse import fields
from gancourse.errors import CheckpointError, CourseError, check_seed, choose, printable
from gancourse.gans import blocks

MOST = 1_000_000  # samples of one call


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
    at_once : int
        How many samples go through the networks together; the rest follow in further parts. This
        bounds the memory and changes no sample.
    path : str or pathlib.Path, optional
        Of its file, for messages.

    Attributes
    ----------
    gan, module, card
        As above.
    fields : dict of str to gancourse.fields.Field
        Its inputs besides the noise, and its outputs, by name: ``fields["labels"]`` says which
        class each number means.

    Raises
    ------
    CheckpointError
        If the card describes an input that the networks do not take.
    """

    def __init__(self, gan, module, card=None, *, at_once=256, path="the generator"):
        self.gan, self.module, self.at_once = gan, module, at_once
        self.card = {"model": module.__name__.rpartition(".")[2], "step": gan.step} | (card or {})
        self.fields = module.inputs(gan.cfg)
        for name, found in self.card.get("fields", {}).items():
            what = f"the card of {path}, fields.{printable(name, 60)}"
            said = fields.read(found, what, CheckpointError)
            if name not in self.fields or not self.fields[name].fits(said):
                takes = self.fields.get(name, "no such input")
                raise CheckpointError(f"{what} is {said}, but the networks take {takes}.")
            self.fields[name] = said

    def __repr__(self):
        return f"<{self.card['model']} trained on {self.data}, {self.card['step']:,} steps>"

    def __call__(self, z, labels=None):
        """Return samples of latent vectors z, (n, latent_dim); see :meth:`sample`."""
        return self.sample(z=z, **({} if labels is None else {"labels": labels}))

    @property
    def data(self):
        """The name of the data that it was trained on, in a form that is safe to print."""
        return printable(self.card.get("data", "unknown data"), 120)

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
        """Draw n latent vectors, (n, latent_dim), from the model's prior, those of ``sample``."""
        z = blocks.draw_rows(self.module.draw_z, self.cfg, n, seed)
        return z.to(blocks.device_of(self.netG))

    def sample(self, n=None, seed=0, *, z=None, **given):
        """Draw samples.

        A sample depends on the seed, its place and its own inputs; that of given pictures does not
        depend on its place. Neither depends on the other samples, up to rounding.

        Parameters
        ----------
        n : int, optional
            How many, 1 to 1,000,000; if left out, as many as the inputs have rows.
        seed : int
            Seed of all random numbers, 0 to 2**63 - 1: the same seed gives the same samples.
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
            If ``n`` or ``seed`` is not such a number, an input is missing, unknown or does not
            fit, or the samples are not finite.
        """
        check_seed(seed)
        given |= {} if z is None else {"z": z}
        names, rows = self._names(given), self._rows(n, given)
        taken = {name: self._value(name, given.get(name), rows, seed) for name in names}
        parts = []
        for first in range(0, rows, self.at_once):
            part = {name: value[first : first + self.at_once] for name, value in taken.items()}
            size = min(self.at_once, rows - first)
            parts.append(self.module.sample(self.gan, size, seed=seed, **part))
        samples = torch.cat(parts)
        if not samples.isfinite().all():
            raise CourseError(f"{self!r} makes samples that are not finite: train it again.")
        return samples

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
        names = [self.pictures, *(n for n in self.given if n not in (self.pictures, "z"))]
        values = (images, *conditions)
        if len(values) > len(names):
            raise CourseError(f"{self!r} takes {', '.join(names)}, not {len(values)} inputs.")
        placed = dict(zip(names, values, strict=False))
        for name in placed.keys() & given.keys():
            raise CourseError(f"{name} is given twice: by its place and by its name.")
        return self.sample(seed=seed, **placed, **given)

    def _names(self, given):
        """Return the input names of the first way to sample that takes all given inputs."""
        for names in self.module.SAMPLES.values():
            if given.keys() <= {*names}:
                return names
        known = {name for names in self.module.SAMPLES.values() for name in names}
        for name in given:
            choose(f"input of {self.card['model']}", name, sorted(known))
        raise CourseError(f"{self!r} takes {' or '.join(sorted(known))}: give only one of them.")

    def _rows(self, n, given):
        if n is not None and (isinstance(n, bool) or not isinstance(n, int) or not 0 < n <= MOST):
            raise CourseError(
                f"n is the number of samples, 1 to {MOST:,}, not {printable(repr(n), 60)}."
            )
        found = [len(self._field(name).check(name, value, n)) for name, value in given.items()]
        if n is None and not found:
            raise CourseError(f"{self!r} needs n, the number of samples, or an input.")
        return n or max(found)

    def _value(self, name, value, rows, seed):
        if value is None:
            value = self.draw_z(rows, seed) if name == "z" else self.fields[name].default(rows)
        if value is None:
            raise CourseError(f"{self!r} needs {name}=: {self.fields[name]}.")
        return self._field(name).check(name, value, rows)

    def _field(self, name):
        return fields.Points(dimensions=self.latent_dim) if name == "z" else self.fields[name]
