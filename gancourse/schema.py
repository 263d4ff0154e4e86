"""JSON from a file, checked against a declared type before anything uses it.

The type is a dataclass, a ``TypedDict``, or any other annotation that pydantic knows. Nothing is
converted: the text "3" is no number, and a list is read as a tuple only where one is declared.
"""

import json
from functools import cache


def read(kind, value, what, error):
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

    Raises
    ------
    CourseError
        Of the class ``error``: says where in the value the first problem is, what was expected
        there and what was found.
    """
    from pydantic import ValidationError

    try:
        text = value if isinstance(value, str | bytes) else json.dumps(value)
        return adapter(kind).validate_json(text, strict=True)
    except ValidationError as problems:
        problem, *more = problems.errors(include_url=False)
        place = ".".join(map(str, problem["loc"]))
        found = repr(problem["input"])
        found = found if len(found) <= 60 else found[:57] + "..."
        rest = f" ({len(more)} more like this)" if more else ""
        where = f"{what}, {place}" if place else what
        raise error(f"{where}: {problem['msg']}, not {found}.{rest}") from None
    except (TypeError, ValueError, RecursionError) as problem:
        raise error(f"{what} is no JSON: {problem}") from None


@cache
def adapter(kind):
    """Return pydantic's reader of a type; making one takes some milliseconds."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
