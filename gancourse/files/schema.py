"""JSON from a file, checked against a declared type before anything uses it.

The type is a dataclass, a ``TypedDict``, or any other annotation that pydantic knows. Nothing is
converted: the text "3" is no number, and a list is read as a tuple only where one is declared.

The types of numbers below say what a number may be. Their upper limits are far above all that the
course needs, and bound what a file can make us build.
"""

import json
from functools import cache
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from gancourse.errors import printable

T = TypeVar("T")

Count = Annotated[int, Field(ge=1)]
Few = Annotated[int, Field(ge=0, le=100)]  # layers, pixels of a kernel
Side = Annotated[int, Field(ge=1, le=1_024)]  # of a picture, in pixels
Channels = Literal[1, 3]  # 1 for grey, 3 for colour
Width = Annotated[int, Field(ge=1, le=16_384)]  # units, channels, classes, numbers in z
Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]  # a rate, a weight of a loss, a width
Decay = Annotated[float, Field(ge=1, le=10)]  # what a step size is divided by after each step
Finite = Annotated[float, Field(allow_inf_nan=False)]

# Of long lists, the first problem is enough: describing all takes minutes.
Listed = Annotated[tuple[T, ...], Field(max_length=100, fail_fast=True)]
PerLayer = Annotated[Listed[Width], Field(min_length=1)]
Texts = Annotated[tuple[str, ...], Field(fail_fast=True)]
Names = Annotated[Texts, Field(min_length=1)]


def read(kind, value, what, error, *, exact=False):
    """Return a JSON value as an object of the declared type.

    Parameters
    ----------
    kind : type
        What is expected, such as ``dict[str, float]`` or the ``Config`` of a GAN.
    value : JSON-able, or str or bytes of JSON
    what : str
        What is read, for the message: "the card of run/generator.safetensors".
    error : type
        The subclass of CourseError to raise.
    exact : bool
        Refuse names that a dataclass lacks. Else they are ignored.

    Raises
    ------
    CourseError
        Of the class ``error``: says where in the value the first problem is, what was expected
        there and what was found.
    """
    from pydantic import ValidationError

    try:
        text = value if isinstance(value, str | bytes) else json.dumps(value)
        found = adapter(kind).validate_json(text, strict=True)
    except ValidationError as problems:
        problem, *more = problems.errors(include_url=False)
        place = printable(".".join(map(str, problem["loc"])), 100)
        found = printable(repr(problem["input"]), 60)
        rest = f" ({len(more)} more like this)" if more else ""
        where = f"{what}, {place}" if place else what
        raise error(f"{where}: {problem['msg']}, not {found}.{rest}") from None
    except (TypeError, ValueError, RecursionError) as problem:
        raise error(f"{what} is no JSON: {problem}") from None
    for name in json.loads(text) if exact else ():
        if name not in kind.__dataclass_fields__:
            unknown = printable(repr(name), 60)
            raise error(f"{what} is from another version of gancourse, which had {unknown}.")
    return found


@cache
def adapter(kind):
    """Return pydantic's reader of a type; making one takes some milliseconds."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
