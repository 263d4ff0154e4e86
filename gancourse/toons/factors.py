"""The factors of a drawn face: their values, how they are sampled, attributes and captions."""

import torch

from gancourse.toons.table import Table, listed

# Values with a natural order (young to old, short to long hair, no glasses to the darkest ones)
# stand in that order, because `bias` links factors by the order of their values.
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

# The probabilities of values, for factors whose values aren't equally likely.
SHARES = {
    "freckles": (0.75, 0.25),
    "glasses": (1 / 2, 1 / 6, 1 / 6, 1 / 6),
    "beard": (1 / 2, 1 / 6, 1 / 6, 1 / 6),
    "earrings": (0.7, 0.3),
    "hat": (0.64, 0.12, 0.12, 0.12),
}

# Small differences between faces with the same factors, each uniform in [-1, 1].
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


# Binary attributes similar to CelebA's, each as a function of the factors.
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


class Factors(Table):
    """The factors of N faces: a table of codes, and a table of small differences.

    See :class:`~gancourse.toons.table.Table`: ``factors.glasses`` is int64 (N,),
    ``factors.tilt`` float32 (N,).

    Examples
    --------
    >>> face = sample(1)
    >>> face.replace(glasses="round", tilt=0.0).describe()[0]["glasses"]
    'round'
    """

    kind = "faces"
    columns = FACTORS
    differences = VARIATION
    shares = SHARES
    has = ATTRIBUTES

    @property
    def captions(self):
        """A caption of each face, list of str."""
        return [caption(face) for face in self.describe()]


def code(factor, value):
    """Return the code of a factor's value: ``code("glasses", "sun")`` is 3."""
    return Factors.code(factor, value)


def _one_of(factors, factor, *values):
    column = getattr(factors, factor)
    return torch.stack([column == code(factor, value) for value in values]).any(0)


def _hair(factors, colour):
    return (factors.hair_colour == code("hair_colour", colour)) & (factors.hair > 0)


def caption(face):
    """Return a caption of one face.

    It leaves out the colour of eyes that sunglasses or a laugh hide.

    Parameters
    ----------
    face : dict of str to str
        Each factor's value, as :meth:`Factors.describe` gives it.

    Returns
    -------
    str

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
    return f"{article} {who} with {listed(has)}, wearing {listed(wears)}, on {place}."


def sample(n, seed=0, *, bias=None, shares=None):
    """Sample the factors of ``n`` faces. Without a bias, all factors are independent.

    Parameters
    ----------
    n : int
        The first k faces are the same for every ``n``.
    seed : int
        At least 0.
    bias : dict of (str, str) to float in [-1, 1], optional
        ``{("glasses", "age"): 0.8}`` makes glasses depend on age: in 80 % of the faces, both
        factors have the same quantile in the order of their values, so that older people wear
        glasses; in the others glasses stay independent. With a negative number, high quantiles go
        with low ones. The frequencies of the values do not change. Several pairs are applied in
        the given order.
    shares : dict of str to sequence or dict, optional
        Weights of a factor's values instead of the default ones, either by name, as in
        ``{"glasses": {"none": 0.9, "sun": 0.1}}``, or one for each value.

    Returns
    -------
    Factors
        On the CPU.

    Raises
    ------
    CourseError
        If a factor or a value does not exist, or a number is out of range.
    """
    return Factors.sample(n, seed, bias=bias, shares=shares)
