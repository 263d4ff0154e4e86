"""Fields, the inputs of a GAN: pictures, classes, flags, text, boxes, a map, masks, points.

The fields of a data set describe its batches, those of a GAN its inputs. A field checks a value
that a user gives, makes up a valid batch, and is stored in a generator's card.

>>> labels = Classes(count=3, names=("cat", "dog", "fox"))
>>> labels.check("labels", ["fox", "cat"])
tensor([2, 0])
>>> read(labels.card()) == labels
True
"""

import re
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch

from gancourse.errors import CourseError, choose, printable
from gancourse.files import schema
from gancourse.files.schema import Channels, Listed, Names, Side, Texts, Width

LabelKind = Literal["attributes", "classes"]  # of a set: any number of its labels hold; or one


@dataclass(frozen=True, kw_only=True)
class Field:
    """One named input: what its tensors look like, and which values they may hold.

    A subclass defines ``shape`` (of one row), ``dtype``, ``__str__`` (a description of valid
    values, for messages), ``convert`` and ``example``.
    """

    dtype = torch.float32
    shown = 64  # how many samples a picture of a run has
    remedy = ""  # for messages: how to make a refused value valid

    def check(self, name, value, n=None):
        """Return a user's value as the tensor that a network takes.

        Parameters
        ----------
        name : str
            The name of the input, for messages.
        value : object
            A tensor with a row for each sample, or another form that ``convert`` accepts.
        n : int, optional
            The number of rows that there must be. The value of one sample is repeated.

        Returns
        -------
        Tensor, (n, *shape)

        Raises
        ------
        CourseError
            If the value is not valid, or has another shape.
        """
        try:
            tensor = self.convert(value)
        except (TypeError, ValueError, RuntimeError, OverflowError) as problem:
            raise CourseError(
                f"{name} must be {self}, not {_found(value)}. {problem}".rstrip(". ") + "."
            ) from problem
        if tensor.shape == self.shape:  # of one sample
            tensor = tensor.expand(n or 1, *self.shape)
        if tuple(tensor.shape[1:]) != self.shape or len(tensor) != (n or len(tensor)):
            rows = "N" if n is None else n
            raise CourseError(
                f"{name} must be {self}, of shape {_shape(rows, *self.shape)}, not "
                f"{_shape(*tensor.shape)}. {self.remedy}".rstrip()
            )
        if not len(tensor):
            raise CourseError(f"{name} must have a row or more, not {_shape(*tensor.shape)}.")
        return tensor

    def convert(self, value):
        """Return a value as a tensor of the field's dtype; raise ValueError if it is not valid."""
        raise NotImplementedError

    def example(self, n, generator=None, device="cpu"):
        """Make up ``n`` valid rows, (n, *shape), from the generator's random numbers."""
        raise NotImplementedError

    @property
    def side(self):
        """The side of pictures, maps and masks, in pixels; None for other fields."""
        return None

    def default(self, n):
        """Return the rows for a user who gives none, (n, *shape); None if a user must give some."""
        return None

    def sized(self, size):
        """Return the same field for pictures of ``size`` by ``size`` pixels."""
        return self

    def decode(self, stored):
        """Return rows in the form that a network takes, given the form in which data store them."""
        return stored

    def pictures(self, rows):
        """Return rows as pictures, (N, 3 or 1, H, W) in [-1, 1]; None if that is not possible."""
        return None

    @property
    def form(self):
        """The sizes that a network depends on, without the names."""
        return self.shape

    def fits(self, other):
        """Return whether a network that expects this field can take rows of ``other``."""
        return type(other) is type(self) and other.form == self.form

    def card(self):
        """Return the field as JSON values, which :func:`read` turns back into the field."""
        return {"kind": type(self).__name__} | asdict(self)


@dataclass(frozen=True, kw_only=True)
class Pictures(Field):
    """Pictures, float32 (N, channels, height, width) in [-1, 1]; stored as bytes, 0 to 255."""

    shape: tuple[Channels, Side, Side]  # (channels, height, width)

    remedy = "Turn bytes into such numbers with images / 127.5 - 1."

    @property
    def channels(self):
        """3 for colour, 1 for grey."""
        return self.shape[0]

    @property
    def side(self):
        """The side of square pictures, the height of others, in pixels."""
        return self.shape[1]

    def sized(self, size):
        """Return the field for pictures of ``size`` by ``size`` pixels."""
        return replace(self, shape=(self.channels, size, size))

    def convert(self, value):
        """Return pictures as float32; raise ValueError outside [-1, 1], with 0.001 for rounding."""
        if not isinstance(value, torch.Tensor):
            raise TypeError("Make a tensor of them: torch.as_tensor(pictures).")
        low, high = (end.item() for end in value.aminmax()) if value.numel() else (0, 0)
        if not value.is_floating_point() or not (low >= -1.001 and high <= 1.001):
            kind = str(value.dtype).removeprefix("torch.")
            raise ValueError(f"They are {kind} in [{low:g}, {high:g}]. {self.remedy}")
        return value.float()

    def example(self, n, generator=None, device="cpu"):
        """Make up pictures of uniform noise."""
        return torch.rand(n, *self.shape, generator=generator, device=device) * 2 - 1

    def decode(self, stored):
        """Return bytes as numbers: 0 becomes -1, 255 becomes 1."""
        return stored.float().div(127.5).sub(1)

    def pictures(self, rows):
        """Return the rows themselves."""
        return rows

    def __str__(self):
        size = " x ".join(map(str, self.shape))
        return f"a tensor of pictures with {size} numbers (channels, height, width) in [-1, 1]"


@dataclass(frozen=True, kw_only=True)
class Points(Field):
    """Points, float32 (N, dimensions), in the units of their data."""

    dimensions: Width = 2  # numbers in a point

    shown = 512

    @property
    def shape(self):
        """The shape of one point."""
        return (self.dimensions,)

    def convert(self, value):
        """Return points as float32; raise ValueError if a number is not finite."""
        points = torch.as_tensor(value, dtype=torch.float32)
        if not points.isfinite().all():
            raise ValueError("A number is not finite.")
        return points

    def example(self, n, generator=None, device="cpu"):
        """Make up points from N(0, 1)."""
        return torch.randn(n, *self.shape, generator=generator, device=device)

    def __str__(self):
        return f"points of {self.dimensions} finite numbers"


@dataclass(frozen=True, kw_only=True)
class Classes(Field):
    """One class for each sample, int64 (N,), from 0 to count - 1."""

    count: Width
    names: Texts = ()  # of the classes; empty if they have only numbers

    dtype = torch.int64
    shape = ()

    def __post_init__(self):
        if self.names and len(self.names) != self.count:
            raise ValueError(f"{self.count} classes need as many names, not {len(self.names)}")

    @property
    def form(self):
        """How many classes there are."""
        return self.count

    @property
    def known(self):
        """The classes in words: their names, or their numbers if they have none."""
        return self.names or tuple(map(str, range(self.count)))

    def convert(self, value):
        """Return classes, given as numbers or by name, as int64."""
        if isinstance(value, str):
            value = self._number(value)
        elif isinstance(value, list | tuple):
            value = [self._number(v) if isinstance(v, str) else v for v in value]
        classes = torch.as_tensor(value)
        whole = classes.dtype != torch.bool and not classes.is_floating_point()
        if not whole or not ((classes >= 0) & (classes < self.count)).all():
            raise ValueError(f"A class is a whole number in 0..{self.count - 1}.")
        return classes.long()

    def _number(self, name):
        if name.isdecimal() and name not in self.known:  # a number, as the command line has it
            return int(name)
        return self.known.index(choose("class", name, self.known))

    def example(self, n, generator=None, device="cpu"):
        """Draw classes, each equally likely."""
        return torch.randint(self.count, (n,), generator=generator, device=device)

    def default(self, n):
        """Return all classes in turn: 0, 1, 2, ..., and again from 0."""
        return torch.arange(n) % self.count

    def __str__(self):
        return f"a class in 0..{self.count - 1}, or one for each sample"


@dataclass(frozen=True, kw_only=True)
class Flags(Field):
    """Labels of which several can hold, float32 0 or 1, (N, total), in one or more sets.

    In a set of kind "attributes", any number of labels can be 1. In a set of kind "classes", one
    label is 1, or none if the class is unknown or no target.
    """

    sets: Listed[tuple[LabelKind, Names]]  # ((kind, (name, ...)), ...)

    def __post_init__(self):
        if not self.sets or not all(self.sizes):
            raise ValueError("there must be a set or more, each with a label or more")

    @property
    def names(self):
        """The labels of all sets, in the order of the columns."""
        return tuple(name for _, names in self.sets for name in names)

    @property
    def kinds(self):
        """The kind of each set."""
        return tuple(kind for kind, _ in self.sets)

    @property
    def sizes(self):
        """How many labels each set has."""
        return tuple(len(names) for _, names in self.sets)

    @property
    def shape(self):
        """The shape of one row."""
        return (sum(self.sizes),)

    @property
    def form(self):
        """The kind and the size of each set."""
        return self.kinds, self.sizes

    def convert(self, value):
        """Return labels as float32; names, as a list or with commas between, are one row's ones."""
        if isinstance(value, str):
            value = [name.strip() for name in value.split(",")]
        if isinstance(value, list | tuple) and value and all(isinstance(v, str) for v in value):
            held = {choose("label", name, self.names) for name in value}
            value = [float(name in held) for name in self.names]
        flags = torch.as_tensor(value, dtype=torch.float32)
        if not ((flags == 0) | (flags == 1)).all():
            raise ValueError("A label is 0 or 1.")
        if flags.shape[-1:] == self.shape:
            parts = zip(self.kinds, flags.split(self.sizes, -1), strict=True)
            if any(kind == "classes" and (part.sum(-1) > 1).any() for kind, part in parts):
                raise ValueError("Of a set of classes, one label at most is 1.")
        return flags

    def example(self, n, generator=None, device="cpu"):
        """Draw attributes with probability 1/2, and one class of each set of classes."""
        parts = []
        for kind, size in zip(self.kinds, self.sizes, strict=True):
            if kind == "classes":
                one = torch.randint(size, (n,), generator=generator, device=device)
                parts.append(torch.nn.functional.one_hot(one, size))
            else:
                parts.append(torch.randint(2, (n, size), generator=generator, device=device))
        return torch.cat(parts, 1).float()

    def __str__(self):
        return f"{self.shape[0]} numbers of 0 or 1, or as many for each sample"


@dataclass(frozen=True, kw_only=True)
class Tokens(Field):
    """Text as the numbers of its words, int64 (N, length); 0 fills the rest of a row.

    ``words[i]`` has the number i + 1. Case and punctuation are ignored, but for apostrophes and
    hyphens within words.
    """

    words: Names  # the vocabulary
    length: Width  # words of the longest text

    dtype = torch.int64

    @property
    def shape(self):
        """The shape of one text."""
        return (self.length,)

    @property
    def form(self):
        """How many words there are, and the length of a text."""
        return len(self.words), self.length

    def convert(self, value):
        """Return texts, or numbers of words, as int64."""
        if isinstance(value, str):
            return self.encode([value])[0]
        if isinstance(value, list | tuple) and value and all(isinstance(v, str) for v in value):
            return self.encode(value)
        tokens = torch.as_tensor(value)
        whole = tokens.dtype != torch.bool and not tokens.is_floating_point()
        if not whole or not ((tokens >= 0) & (tokens <= len(self.words))).all():
            raise ValueError(f"The number of a word is a whole number in 0..{len(self.words)}.")
        return tokens.long()

    def encode(self, texts):
        """Return a list of texts as numbers, int64 (N, length).

        Raises
        ------
        CourseError
            If a word is unknown.
        ValueError
            If a text is too long.
        """
        numbers = {word: i for i, word in enumerate(self.words, 1)}
        rows = []
        for text in texts:
            words = split_words(text)
            if len(words) > self.length:
                raise ValueError(f"A text has {self.length} words at most, not {len(words)}.")
            row = [numbers.get(word) or numbers[choose("word", word, self.words)] for word in words]
            rows.append(row + [0] * (self.length - len(row)))
        return torch.tensor(rows)

    def decode_text(self, tokens):
        """Return numbers, (N, length), as a list of texts."""
        return [" ".join(self.words[i - 1] for i in row if i) for row in tokens.tolist()]

    def example(self, n, generator=None, device="cpu"):
        """Draw texts of at least half the length, of equally likely words."""
        shape = (n, self.length)
        drawn = torch.randint(len(self.words), shape, generator=generator, device=device) + 1
        short = torch.randint(
            (self.length + 1) // 2, self.length + 1, (n, 1), generator=generator, device=device
        )
        return drawn * (torch.arange(self.length, device=device) < short)

    def __str__(self):
        return f"a text of {self.length} words at most, or one for each sample"


@dataclass(frozen=True, kw_only=True)
class Boxes(Field):
    """A box for each thing, float32 (N, things, 4): left, top, right, bottom, from 0 to 1.

    0 and 1 are opposite sides of the picture. All four are -1 if the picture lacks the thing.
    """

    things: Names

    @property
    def shape(self):
        """The shape of one picture's boxes."""
        return (len(self.things), 4)

    def convert(self, value):
        """Return boxes as float32: left < right and top < bottom in [0, 1], or all -1."""
        boxes = torch.as_tensor(value, dtype=torch.float32)
        if boxes.shape[-1:] == (4,):
            ordered = (boxes[..., :2] < boxes[..., 2:]).all(-1)
            inside = ((boxes >= 0) & (boxes <= 1)).all(-1)
            if not ((ordered & inside) | (boxes == -1).all(-1)).all():
                raise ValueError("In a box, left < right and top < bottom, in [0, 1]; or all -1.")
        return boxes

    def example(self, n, generator=None, device="cpu"):
        """Draw boxes; one thing in four is missing."""
        ends = torch.rand(n, *self.shape, generator=generator, device=device) / 2
        boxes = torch.cat([ends[..., :2], ends[..., 2:] + 0.5], -1)
        missing = torch.rand(n, len(self.things), 1, generator=generator, device=device) < 0.25
        return torch.where(missing, -1.0, boxes)

    def __str__(self):
        return f"{len(self.things)} boxes (left, top, right, bottom), or as many for each sample"


@dataclass(frozen=True, kw_only=True)
class Map(Field):
    """A semantic map, int64 (N, size, size): the class of each pixel; stored as bytes."""

    classes: Names  # 256 at most
    size: Side

    dtype = torch.int64

    @property
    def shape(self):
        """The shape of one map."""
        return (self.size, self.size)

    @property
    def form(self):
        """How many classes there are, and the side of a map."""
        return len(self.classes), self.size

    @property
    def side(self):
        """The side in pixels."""
        return self.size

    def sized(self, size):
        """Return the field for maps of ``size`` by ``size`` pixels."""
        return replace(self, size=size)

    def convert(self, value):
        """Return maps as int64."""
        numbers = torch.as_tensor(value)
        if (
            numbers.is_floating_point()
            or not ((numbers >= 0) & (numbers < len(self.classes))).all()
        ):
            raise ValueError(f"The class of a pixel lies in 0..{len(self.classes) - 1}.")
        return numbers.long()

    def example(self, n, generator=None, device="cpu"):
        """Draw the class of each pixel."""
        shape = (n, *self.shape)
        return torch.randint(len(self.classes), shape, generator=generator, device=device)

    def decode(self, stored):
        """Return bytes as int64."""
        return stored.long()

    def pictures(self, rows):
        """Return maps in colours, (N, 3, size, size): a hue for each class."""
        # Steps of the golden ratio: the hues of successive classes lie far apart.
        hue = torch.arange(len(self.classes)) * 0.618 % 1
        offsets = torch.tensor([0.0, 1 / 3, 2 / 3])
        colours = torch.cos(2 * torch.pi * (hue[:, None] - offsets))  # (classes, 3)
        return colours.to(rows.device)[rows].permute(0, 3, 1, 2)

    def __str__(self):
        return f"a map of {self.size} x {self.size} classes in 0..{len(self.classes) - 1}"


@dataclass(frozen=True, kw_only=True)
class Masks(Field):
    """The pixels of each thing, float32 0 or 1, (N, things, size, size).

    Stored as one number for each pixel: 0 for no thing, else 1 + the index of the thing.
    """

    things: Names  # 255 at most
    size: Side

    @property
    def shape(self):
        """The shape of one picture's masks."""
        return (len(self.things), self.size, self.size)

    @property
    def side(self):
        """The side in pixels."""
        return self.size

    def sized(self, size):
        """Return the field for masks of ``size`` by ``size`` pixels."""
        return replace(self, size=size)

    def convert(self, value):
        """Return masks as float32."""
        masks = torch.as_tensor(value, dtype=torch.float32)
        if not ((masks == 0) | (masks == 1)).all():
            raise ValueError("A pixel of a mask is 0 or 1.")
        return masks

    def example(self, n, generator=None, device="cpu"):
        """Draw for each pixel a thing, or none."""
        shape = (n, *self.shape[1:])
        count = len(self.things) + 1
        return self.decode(torch.randint(count, shape, generator=generator, device=device))

    def decode(self, stored):
        """Return stored numbers, (N, size, size), as a mask for each thing."""
        numbers = torch.arange(1, len(self.things) + 1, device=stored.device)
        return (stored[:, None] == numbers.view(1, -1, 1, 1)).float()

    def __str__(self):
        return f"{len(self.things)} masks of {self.size} x {self.size} pixels, 0 or 1"


def example(fields, n, generator=None, device="cpu"):
    """Make up a batch of ``n`` valid rows: a dict of tensors, by the names of the fields."""
    return {name: field.example(n, generator, device) for name, field in fields.items()}


KINDS = {kind.__name__: kind for kind in Field.__subclasses__()}


def read(card, what="the card of a field", error=CourseError):
    """Return the field that :meth:`Field.card` wrote.

    Parameters
    ----------
    card : JSON-able
    what : str
        What is read, for messages.
    error : type
        The subclass of CourseError to raise.

    Raises
    ------
    CourseError
        If this version does not know the kind of field, or its values.
    """
    content = dict(schema.read(dict[str, Any], card, what, error))
    kind = content.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        known = ", ".join(KINDS)
        raise error(f"{what}, kind: expected one of {known}, not {printable(repr(kind), 60)}.")
    return schema.read(KINDS[kind], content, f"{what} ({kind})", error, exact=True)


def split_words(text):
    """Return the words of a text, in lower case."""
    return re.findall(r"[\w'-]+", text.lower())


def _shape(*sizes):
    return f"({', '.join(map(str, sizes))}{',' if len(sizes) == 1 else ''})"


def _found(value):
    shape = getattr(value, "shape", None)
    return f"{value!r:.80}" if shape is None else f"{type(value).__name__} {_shape(*shape)}"
