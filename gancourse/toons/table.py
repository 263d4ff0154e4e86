"""Tables of factors, the base of the factors of faces and of scenes, and how they are sampled."""

import zlib

import numpy as np
import torch

from gancourse.errors import DataError, choose


class Table:
    """The factors of N pictures: a table of codes, and a table of small differences.

    A subclass for each kind of picture names the columns.

    Parameters
    ----------
    codes : int64 torch.Tensor, (N, number of columns)
        ``codes[i, j]`` is an index into the values of the factor ``j`` of ``columns``.
    variation : float32 torch.Tensor, (N, number of differences)
        In [-1, 1].

    Attributes
    ----------
    kind : str
        The name of the pictures, in the plural.
    columns : dict of str to tuple of str
        The factors and their values.
    differences : dict of str to str
        The small differences between pictures with the same factors, and their meaning.
    shares : dict of str to tuple of float
        The probabilities of values, for factors whose values aren't equally likely.
    has : dict of str to callable
        The binary attributes, each as a function of the table.

    Notes
    -----
    A column is an attribute: ``table.glasses`` is int64 (N,), ``table.tilt`` is float32 (N,).
    ``table[index]`` selects pictures, ``len(table)`` is their number.
    """

    kind: str
    stream = ""  # a prefix of the columns' names in the seeds of their random numbers
    columns: dict
    differences: dict
    shares: dict
    has: dict

    def __init__(self, codes, variation):
        for name, table, columns in (
            ("codes", codes, self.columns),
            ("variation", variation, self.differences),
        ):
            if table.ndim != 2 or table.shape[1] != len(columns):
                raise DataError(
                    f"{name}: expected shape (N, {len(columns)}), found {tuple(table.shape)}"
                )
        if len(codes) != len(variation):
            raise DataError(
                f"expected as many rows of codes as of variation, found {len(codes)} and "
                f"{len(variation)}"
            )
        self.codes = codes
        self.variation = variation

    def __getattr__(self, name):
        if name in self.columns:
            return self.codes[:, list(self.columns).index(name)]
        if name in self.differences:
            return self.variation[:, list(self.differences).index(name)]
        raise AttributeError(f"{self.kind} have no factor {name!r}")

    def __len__(self):
        return len(self.codes)

    def __getitem__(self, index):
        if isinstance(index, int):
            index = slice(index, index + 1 or None)
        return type(self)(self.codes[index], self.variation[index])

    def __repr__(self):
        return f"<Factors of {len(self):,} {self.kind}>"

    def to(self, device):
        """Return the same factors on another device."""
        return type(self)(self.codes.to(device), self.variation.to(device))

    def repeat_interleave(self, times):
        """Return every picture ``times`` times in a row."""
        return type(self)(
            self.codes.repeat_interleave(times, 0), self.variation.repeat_interleave(times, 0)
        )

    def replace(self, **changes):
        """Return a copy with some factors changed.

        Parameters
        ----------
        **changes
            For a name in ``columns``, the name or the code of a value, or a sequence of N of
            these; for a name in ``differences``, a number in [-1, 1] or a sequence of N.

        Returns
        -------
        Table

        Raises
        ------
        CourseError
            If a factor or a value does not exist, or the number of values is not 1 or N.
        """
        codes, variation = self.codes.clone(), self.variation.clone()
        for name, value in changes.items():
            choose("factor", name, [*self.columns, *self.differences])
            if name in self.columns:
                column = self._codes(name, value).to(codes.device)
                codes[:, list(self.columns).index(name)] = column
            else:
                column = torch.as_tensor(value, dtype=torch.float32).to(variation.device)
                if column.ndim and len(column) != len(self):
                    raise DataError(
                        f"{name}: expected 1 or {len(self)} values, found {len(column)}"
                    )
                if not bool((column.abs() <= 1).all()):
                    raise DataError(f"{name}: expected a number in -1..1, not {value!r}")
                variation[:, list(self.differences).index(name)] = column
        return type(self)(codes, variation)

    @property
    def attributes(self):
        """The attributes of each picture, bool (N, number of attributes)."""
        return torch.stack([has(self) for has in self.has.values()], 1)

    def describe(self):
        """Return the names of the factors' values, a dict of str to str for each picture."""
        rows = self.codes.tolist()
        kinds = self.columns.items()
        return [
            {name: values[code] for (name, values), code in zip(kinds, row, strict=True)}
            for row in rows
        ]

    @classmethod
    def code(cls, factor, value):
        """Return the code of a factor's value."""
        values = cls.columns[choose("factor", factor, cls.columns)]
        return values.index(choose(factor, value, values))

    @classmethod
    def sample(cls, n, seed=0, *, bias=None, shares=None):
        """Sample the factors of ``n`` pictures; see :func:`gancourse.toons.sample`."""
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise DataError(f"number of {cls.kind}: expected at least 1, not {n!r}")
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise DataError(f"seed: expected an integer of at least 0, not {seed!r}")
        chance = {name: cls._uniform(n, seed, name) for name in cls.columns}
        for pair, strength in (bias or {}).items():
            if not (isinstance(pair, tuple) and len(pair) == 2 and pair[0] != pair[1]):
                one, two = list(cls.columns)[:2]
                raise DataError(
                    f"bias: expected two different factors such as ({one!r}, {two!r}), not {pair!r}"
                )
            if not -1 <= strength <= 1:
                raise DataError(f"bias of {pair}: expected a number in -1..1, not {strength!r}")
            follower, leader = (choose("factor", name, cls.columns) for name in pair)
            linked = cls._uniform(n, seed, f"{follower} follows {leader}") < abs(strength)
            led = chance[leader] if strength > 0 else 1 - chance[leader]
            chance[follower] = torch.where(linked, led, chance[follower])
        for name in shares or {}:
            choose("factor", name, cls.columns)
        columns = [
            torch.bucketize(chance[name], cls._edges(name, (shares or {}).get(name)), right=True)
            for name in cls.columns
        ]
        variation = [cls._uniform(n, seed, name) * 2 - 1 for name in cls.differences]
        return cls(torch.stack(columns, 1), torch.stack(variation, 1).float())

    def _codes(self, name, value):
        values = self.columns[name]
        if isinstance(value, str | int) and not isinstance(value, bool):
            value = [value] * len(self)
        codes = torch.tensor([self.code(name, v) if isinstance(v, str) else int(v) for v in value])
        if len(codes) != len(self):
            raise DataError(f"{name}: expected 1 or {len(self)} values, found {len(codes)}")
        if len(self) and not 0 <= codes.min() <= codes.max() < len(values):
            raise DataError(
                f"{name}: expected codes in 0..{len(values) - 1}, found {codes.min().item()}.."
                f"{codes.max().item()}"
            )
        return codes

    @classmethod
    def _uniform(cls, n, seed, name):
        """Return ``n`` uniform numbers in [0, 1) for a column, float64 (N,)."""
        # Each column has a seed of its own, so that a factor which is added later does not change
        # the others. On the CPU, the first k numbers are the same for every n.
        key = zlib.crc32((cls.stream + name).encode())
        words = np.random.SeedSequence([seed, key]).generate_state(2)
        generator = torch.Generator().manual_seed(int(words[0]) << 31 ^ int(words[1]))
        return torch.rand(n, generator=generator, dtype=torch.float64)

    @classmethod
    def _edges(cls, name, wanted):
        """Return the borders on [0, 1] between the values of a factor, without 0 and 1."""
        values = cls.columns[name]
        weights = wanted if wanted is not None else cls.shares.get(name, [1] * len(values))
        if isinstance(weights, dict):
            for value in weights:
                choose(name, value, values)
            weights = [weights.get(value, 0) for value in values]
        weights = torch.tensor(list(weights), dtype=torch.float64)
        if len(weights) != len(values) or bool((weights < 0).any()) or not weights.sum() > 0:
            raise DataError(
                f"shares of {name}: expected {len(values)} weights of at least 0, not all of them "
                f"0; found {weights.tolist()}"
            )
        return (weights.cumsum(0) / weights.sum())[:-1]


def listed(items):
    """Return an enumeration: "a, b and c"."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)
