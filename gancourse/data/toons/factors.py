"""Everything that makes a drawn face what it is: the factors, how they are drawn, their names."""

import zlib

import numpy as np
import torch

from gancourse.errors import DataError, choose

# The values stand in an order that means something where there is one (young to old, short to
# long hair, from no glasses to the darkest), because `bias` links factors by their order.
FACTORS = {
    "presentation": ("feminine", "masculine"),
    "age": ("young", "adult", "old"),
    "skin": ("porcelain", "light", "honey", "tan", "brown", "deep"),
    "face": ("oval", "round", "square", "heart", "long"),
    "hair": (
        "bald",
        "buzz",
        "mohawk",
        "short",
        "side part",
        "curly",
        "afro",
        "bun",
        "ponytail",
        "pigtails",
        "bob",
        "long",
    ),
    "hair_colour": ("black", "brown", "red", "blond", "grey"),
    "side": ("left", "right"),
    "brows": ("thin", "straight", "arched", "bushy"),
    "eyes": ("round", "almond", "sleepy"),
    "eye_colour": ("brown", "hazel", "green", "blue"),
    "nose": ("button", "round", "long"),
    "expression": ("neutral", "smile", "laugh", "sad", "surprised", "angry"),
    "freckles": ("no", "yes"),
    "glasses": ("none", "round", "square", "sun"),
    "glasses_colour": ("black", "tortoise", "red", "blue"),
    "beard": ("none", "moustache", "goatee", "full"),
    "earrings": ("no", "yes"),
    "hat": ("none", "beanie", "cap", "fedora"),
    "hat_colour": ("coral", "mustard", "forest", "teal", "sky", "navy", "plum", "cream"),
    "clothes": ("tee", "stripes", "collar", "turtleneck", "hoodie"),
    "clothes_colour": ("coral", "mustard", "forest", "teal", "sky", "navy", "plum", "cream"),
    "background": ("rose", "peach", "lemon", "sand", "mint", "aqua", "sky", "lilac"),
}

# Where the values of a factor aren't equally likely.
SHARES = {
    "freckles": (0.75, 0.25),
    "glasses": (1 / 2, 1 / 6, 1 / 6, 1 / 6),
    "beard": (1 / 2, 1 / 6, 1 / 6, 1 / 6),
    "earrings": (0.7, 0.3),
    "hat": (0.64, 0.12, 0.12, 0.12),
}

# Small differences between faces that share every factor, each uniform in [-1, 1].
VARIATION = {
    "x": "place, left to right",
    "y": "place, top to bottom",
    "size": "of the whole figure",
    "tilt": "of the head, clockwise if positive",
    "width": "of the head",
    "height": "of the head",
    "eye_spacing": "distance between the eyes",
    "eye_size": "of the eyes",
    "eye_height": "of the eyes, lower if positive",
    "gaze": "where the eyes look, left to right",
    "brow_height": "of the brows, lower if positive",
    "brow_weight": "thickness of the brows",
    "nose_size": "of the nose",
    "mouth_width": "of the mouth",
    "mouth_height": "of the mouth, lower if positive",
    "hair_volume": "how far the hair stands off the head",
}


# What a face has or has not, in the manner of CelebA's list, as a function of its factors.
ATTRIBUTES = {
    "Bald": lambda f: f.hair == code("hair", "bald"),
    "Black_Hair": lambda f: _hair(f, "black"),
    "Blond_Hair": lambda f: _hair(f, "blond"),
    "Brown_Hair": lambda f: _hair(f, "brown"),
    "Grey_Hair": lambda f: _hair(f, "grey"),
    "Red_Hair": lambda f: _hair(f, "red"),
    "Curly_Hair": lambda f: _one_of(f, "hair", "curly", "afro"),
    "Long_Hair": lambda f: _one_of(f, "hair", "ponytail", "pigtails", "long"),
    "Eyeglasses": lambda f: f.glasses > 0,
    "Sunglasses": lambda f: f.glasses == code("glasses", "sun"),
    "Facial_Hair": lambda f: f.beard > 0,
    "Beard": lambda f: _one_of(f, "beard", "goatee", "full"),
    "Freckles": lambda f: f.freckles > 0,
    "Male_presenting": lambda f: f.presentation == code("presentation", "masculine"),
    "Mouth_Open": lambda f: _one_of(f, "expression", "laugh", "surprised"),
    "Smiling": lambda f: _one_of(f, "expression", "smile", "laugh"),
    "Wearing_Earrings": lambda f: f.earrings > 0,
    "Wearing_Hat": lambda f: f.hat > 0,
    "Young": lambda f: f.age == code("age", "young"),
    "Old": lambda f: f.age == code("age", "old"),
}


class Factors:
    """The factors of N faces: a table of codes, and a table of small differences.

    Parameters
    ----------
    codes : int64 torch.Tensor, (N, number of FACTORS)
        ``codes[i, j]`` is an index into the values of the factor ``j`` of ``FACTORS``.
    variation : float32 torch.Tensor, (N, number of VARIATION)
        In [-1, 1].

    Notes
    -----
    A column is read as an attribute: ``factors.glasses`` is int64 (N,), ``factors.tilt`` is
    float32 (N,). ``factors[index]`` chooses faces, ``len(factors)`` counts them.
    """

    def __init__(self, codes, variation):
        for name, table, columns in (
            ("codes", codes, FACTORS),
            ("variation", variation, VARIATION),
        ):
            if table.ndim != 2 or table.shape[1] != len(columns):
                raise DataError(
                    f"{name}: expected shape (N, {len(columns)}), found {tuple(table.shape)}"
                )
        if len(codes) != len(variation):
            raise DataError(f"{len(codes)} rows of codes, but {len(variation)} of variation")
        self.codes = codes
        self.variation = variation

    def __getattr__(self, name):
        if name in FACTORS:
            return self.codes[:, list(FACTORS).index(name)]
        if name in VARIATION:
            return self.variation[:, list(VARIATION).index(name)]
        raise AttributeError(f"faces have no factor {name!r}")

    def __len__(self):
        return len(self.codes)

    def __getitem__(self, index):
        if isinstance(index, int):
            index = slice(index, index + 1 or None)
        return Factors(self.codes[index], self.variation[index])

    def __repr__(self):
        return f"<Factors of {len(self):,} faces>"

    def to(self, device):
        """Return the same factors on another device."""
        return Factors(self.codes.to(device), self.variation.to(device))

    def repeat(self, times):
        """Return every face ``times`` times in a row, to change one thing in each copy."""
        return Factors(
            self.codes.repeat_interleave(times, 0), self.variation.repeat_interleave(times, 0)
        )

    def replace(self, **changes):
        """Return a copy with some factors changed.

        Parameters
        ----------
        **changes
            A name of ``FACTORS`` with the name of a value, a code, or a sequence of N of these; a
            name of ``VARIATION`` with a number in [-1, 1] or N of them.

        Raises
        ------
        CourseError
            If a factor or a value doesn't exist.

        Examples
        --------
        >>> face = sample(1)
        >>> face.replace(glasses="round", tilt=0.0).describe()[0]["glasses"]
        'round'
        """
        codes, variation = self.codes.clone(), self.variation.clone()
        for name, value in changes.items():
            choose("factor", name, [*FACTORS, *VARIATION])
            if name in FACTORS:
                codes[:, list(FACTORS).index(name)] = _codes(name, value, len(self)).to(
                    codes.device
                )
            else:
                column = torch.as_tensor(value, dtype=torch.float32).to(variation.device)
                if column.ndim and len(column) != len(self):
                    raise DataError(
                        f"{name}: expected 1 or {len(self)} values, found {len(column)}"
                    )
                if not bool((column.abs() <= 1).all()):
                    raise DataError(f"{name} must lie in -1..1, not {value!r}")
                variation[:, list(VARIATION).index(name)] = column
        return Factors(codes, variation)

    @property
    def attributes(self):
        """What each face has and has not: bool (N, number of ATTRIBUTES)."""
        return torch.stack([has(self) for has in ATTRIBUTES.values()], 1)

    @property
    def captions(self):
        """A sentence about each face, as a list of str."""
        return [caption(face) for face in self.describe()]

    def describe(self):
        """Return a dict of factor to value's name for each face."""
        rows = self.codes.tolist()
        return [
            {name: FACTORS[name][code] for name, code in zip(FACTORS, row, strict=True)}
            for row in rows
        ]


def code(factor, value):
    """Return the number of a value: ``code("glasses", "sun")`` is 3."""
    values = FACTORS[choose("factor", factor, FACTORS)]
    return values.index(choose(factor, value, values))


def _one_of(factors, factor, *values):
    column = getattr(factors, factor)
    return torch.stack([column == code(factor, value) for value in values]).any(0)


def _hair(factors, colour):
    return (factors.hair_colour == code("hair_colour", colour)) & (factors.hair > 0)


def caption(face):
    """Return a sentence about one face, given as a dict of factor to value.

    Glasses, hats and laughter hide some factors; the sentence keeps to what can be seen.

    Examples
    --------
    >>> caption(sample(1).replace(hair="bald", hat="none").describe()[0])[:2]
    'A '
    """
    colour = face["hair_colour"]
    hair = {
        "bald": "a bald head",
        "buzz": f"a {colour} buzz cut",
        "mohawk": f"a {colour} mohawk",
        "short": f"short {colour} hair",
        "side part": f"side-parted {colour} hair",
        "curly": f"curly {colour} hair",
        "afro": f"a {colour} afro",
        "bun": f"{colour} hair in a bun",
        "ponytail": f"a {colour} ponytail",
        "pigtails": f"{colour} pigtails",
        "bob": f"a {colour} bob",
        "long": f"long {colour} hair",
    }[face["hair"]]
    mood = {"neutral": "", "smile": "smiling", "laugh": "laughing"}
    words = [
        mood.get(face["expression"], face["expression"]),
        "" if face["age"] == "adult" else face["age"],
        {"feminine": "woman", "masculine": "man"}[face["presentation"]],
    ]
    who = " ".join(word for word in words if word)
    has = [hair]
    if face["glasses"] != "sun" and face["expression"] != "laugh":
        has.append(f"{face['eye_colour']} eyes")
    if face["freckles"] == "yes":
        has.append("freckles")
    if face["beard"] != "none":
        has.append({"full": "a full beard"}.get(face["beard"], f"a {face['beard']}"))
    cloth = f"{face['clothes_colour']} {face['clothes']}"
    wears = {
        "tee": f"a {face['clothes_colour']} T-shirt",
        "stripes": f"a striped {face['clothes_colour']} T-shirt",
        "collar": f"a {face['clothes_colour']} shirt",
    }
    wears = [wears.get(face["clothes"], f"a {cloth}")]
    if face["glasses"] == "sun":
        wears.append(f"{face['glasses_colour']} sunglasses")
    elif face["glasses"] != "none":
        wears.append(f"{face['glasses']} {face['glasses_colour']} glasses")
    if face["hat"] != "none":
        wears.append(f"a {face['hat_colour']} {face['hat']}")
    if face["earrings"] == "yes":
        wears.append("earrings")
    article = "An" if who[0] in "aeiou" else "A"
    ground = face["background"]
    place = f"{'an' if ground[0] in 'aeiou' else 'a'} {ground} background"
    return f"{article} {who} with {_list(has)}, wearing {_list(wears)}, on {place}."


def _list(items):
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def _codes(name, value, count):
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        value = [value] * count
    codes = torch.tensor([code(name, v) if isinstance(v, str) else int(v) for v in value])
    if len(codes) != count:
        raise DataError(f"{name}: expected 1 or {count} values, found {len(codes)}")
    if count and not 0 <= codes.min() <= codes.max() < len(FACTORS[name]):
        raise DataError(f"{name}: codes must lie in 0..{len(FACTORS[name]) - 1}")
    return codes


def sample(n, seed=0, *, bias=None, shares=None):
    """Draw the factors of ``n`` faces, every factor independent of the others unless biased.

    Parameters
    ----------
    n : int
        The first k faces are the same for every ``n``.
    seed : int
        At least 0.
    bias : dict of (str, str) to float in [-1, 1], optional
        ``{("glasses", "age"): 0.8}``: in 80 % of the faces, the first factor takes the place in
        its order that the second has in its own, so that the older wear glasses; in the others
        it stays independent. A negative number links it to the reverse order. How often each
        value occurs does not change. Pairs are linked in the order given.
    shares : dict of str to sequence or dict, optional
        How likely the values of a factor are, in the place of the default:
        ``{"glasses": {"none": 0.9, "sun": 0.1}}``, or one number for each value.

    Returns
    -------
    Factors
        On the CPU.

    Raises
    ------
    CourseError
        If a factor or value doesn't exist, or a number is out of range.
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise DataError(f"the number of faces must be at least 1, not {n!r}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise DataError(f"seed must be a whole number of 0 or more, not {seed!r}")
    chance = {name: _uniform(n, seed, name) for name in FACTORS}
    for pair, strength in (bias or {}).items():
        if not (isinstance(pair, tuple) and len(pair) == 2 and pair[0] != pair[1]):
            raise DataError(
                f"bias: expected two different factors such as ('glasses', 'age'), not {pair!r}"
            )
        if not -1 <= strength <= 1:
            raise DataError(f"bias: {pair} must be linked by -1..1, not {strength!r}")
        follower, leader = (choose("factor", name, FACTORS) for name in pair)
        linked = _uniform(n, seed, f"{follower} follows {leader}") < abs(strength)
        led = chance[leader] if strength > 0 else 1 - chance[leader]
        chance[follower] = torch.where(linked, led, chance[follower])
    for name in shares or {}:
        choose("factor", name, FACTORS)
    columns = [
        torch.bucketize(chance[name], _edges(name, (shares or {}).get(name)), right=True)
        for name in FACTORS
    ]
    variation = [_uniform(n, seed, name) * 2 - 1 for name in VARIATION]
    return Factors(torch.stack(columns, 1), torch.stack(variation, 1).float())


def _uniform(n, seed, name):
    """Return ``n`` numbers in [0, 1) from a stream of the factor's own."""
    # So a factor that is added later leaves the others as they were. Always on the CPU, where the
    # first k numbers are the same for every n.
    words = np.random.SeedSequence([seed, zlib.crc32(name.encode())]).generate_state(2)
    generator = torch.Generator().manual_seed(int(words[0]) << 31 ^ int(words[1]))
    return torch.rand(n, generator=generator, dtype=torch.float64)


def _edges(name, wanted):
    """Return the inner borders between the values of a factor on [0, 1]."""
    values = FACTORS[name]
    weights = wanted if wanted is not None else SHARES.get(name, [1] * len(values))
    if isinstance(weights, dict):
        for value in weights:
            choose(name, value, values)
        weights = [weights.get(value, 0) for value in values]
    weights = torch.tensor(list(weights), dtype=torch.float64)
    if len(weights) != len(values) or bool((weights < 0).any()) or not weights.sum() > 0:
        raise DataError(f"shares of {name}: expected {len(values)} weights of 0 or more")
    return (weights.cumsum(0) / weights.sum())[:-1]
