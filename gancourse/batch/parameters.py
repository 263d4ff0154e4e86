"""The parameters of a notebook: found in its tagged cell, and read from the command line."""

import ast
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from types import NoneType

from gancourse.errors import CourseError, choose

# The types that a value on the command line can have.
KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list, as in [1, 2] or ['a', 'b']",
    tuple: "a tuple, as in (1, 2)",
    dict: "a dict, as in {'a': 1}",
    NoneType: "None",
}
ANNOTATIONS = {kind.__name__: (kind,) for kind in KINDS} | {
    "List": (list,),
    "Tuple": (tuple,),
    "Dict": (dict,),
}
PLAIN = re.compile(r"[\w.+-]+")  # one of several values, which is a part of a folder's name
CONSTANTS = {"none": None, "null": None, "true": True, "false": False}


@dataclass(frozen=True)
class Parameter:
    """A parameter of a notebook.

    Attributes
    ----------
    default : object
        The value; None if it is no literal.
    kinds : tuple of type
        The types that a value may have, from the annotation or the default; empty if any.
    """

    default: object = None
    kinds: tuple = ()


def find(notebook, tag="parameters"):
    """Return the parameters of a notebook by name: what the first cell with the tag assigns.

    papermill's own inspection leaves out what has several lines, or an ``=`` in its comment.
    """
    cell = next((c for c in notebook.cells if tag in c.metadata.get("tags", [])), None)
    if cell is None or cell.cell_type != "code":
        return {}
    lines = _statements(cell.source)
    if lines is None:
        return _inspected(cell)
    found = {}
    for line in lines:
        if isinstance(line, ast.AnnAssign):
            targets, kinds = [line.target], _kinds(line.annotation)
        elif isinstance(line, ast.Assign):
            targets, kinds = line.targets, ()
        else:
            continue
        try:
            default = ast.literal_eval(line.value)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            default = None
        if not kinds and default is not None and type(default) in KINDS:
            kinds = (type(default),)
        for target in targets:
            if isinstance(target, ast.Name):
                found[target.id] = Parameter(default, kinds)
    return found


def _statements(source):
    """Return the statements of a cell, magics included; None if it is no Python."""
    source = re.sub(r"\A\s*%%.*\n?", "", source)  # such as %%time
    unreadable = (SyntaxError, ValueError, RecursionError, MemoryError)
    try:
        return ast.parse(source).body
    except unreadable:
        from IPython.core.inputtransformer2 import TransformerManager  # takes a while

    try:
        return ast.parse(TransformerManager().transform_cell(source)).body
    except unreadable:
        return None


def _inspected(cell):
    """Return the names that papermill finds in a cell that cannot be parsed."""
    from papermill.translators import PythonTranslator

    return {parameter.name: Parameter() for parameter in PythonTranslator.inspect(cell)}


def _kinds(annotation):
    """Return the types that an annotation names; none if one of them is unknown."""
    match annotation:
        case ast.Constant(value=None):
            return (NoneType,)
        case ast.Constant(value=str(text)):
            lines = _statements(text)
            return _kinds(lines[0].value) if lines and isinstance(lines[0], ast.Expr) else ()
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return ANNOTATIONS.get(name, ())
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return _all_kinds([left, right])
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            if name == "Optional":
                return _all_kinds([inner, ast.Constant(None)])
            if name == "Union":
                return _all_kinds(inner.elts if isinstance(inner, ast.Tuple) else [inner])
            return ANNOTATIONS.get(name, ())
    return ()


def _all_kinds(annotations):
    kinds = [_kinds(annotation) for annotation in annotations]
    return sum(kinds, ()) if all(kinds) else ()


def check_names(given, known, lesson):
    """Raise a CourseError if a notebook lacks a parameter of a given name.

    Parameters
    ----------
    given : collection of str
    known : dict of str to Parameter
        From :func:`find`.
    lesson : str
        The notebook's name, for the message.
    """
    if given and not known:
        raise CourseError(
            f"{lesson} has no parameters, so that {', '.join(given)} cannot be set. Tag a cell of "
            "assignments with the word parameters."
        )
    for name in given:
        choose(f"parameter of {lesson}", name, known)


def values(given, known, lesson):
    """Return the values of parameters from the command line.

    Parameters
    ----------
    given : dict of str to str
    known : dict of str to Parameter
        From :func:`find`.
    lesson : str
        The notebook's name, for the message.

    Raises
    ------
    CourseError
        If the notebook has no such parameter, or the text is no value of its type.
    """
    check_names(given, known, lesson)
    return {name: convert(name, text, known[name].kinds) for name, text in given.items()}


def combinations(given, known):
    """Return every combination of values that a request names.

    A parameter that takes a number, and the preset, may have several values with commas between:
    ``-p seed 0,1,2``. Each becomes a part of a folder's name.

    Parameters
    ----------
    given : dict of str to str
    known : dict of str to Parameter
        From :func:`find`.

    Returns
    -------
    list of (str, dict)
        A name for each combination, such as ``"seed=0"``, and its single values. One, with the
        name "", if no parameter has several.

    Raises
    ------
    CourseError
        If one of several values is there twice, is none of its parameter's type, or cannot be a
        part of a name.
    """
    several = {
        name: [part.strip() for part in text.split(",")]
        for name, text in given.items()
        if "," in text and (name == "preset" or set(known[name].kinds) in ({int}, {float}))
    }
    for name, texts in several.items():
        numbers = [convert(name, text, known[name].kinds) for text in texts]
        for text, number in zip(texts, numbers, strict=True):
            if numbers.count(number) > 1:
                raise CourseError(f"parameter {name!r}: {text!r:.80} is there twice: give it once.")
            if not PLAIN.fullmatch(text):
                raise CourseError(
                    f"parameter {name!r}: {text!r:.80} cannot be one of several values, since each "
                    "names a folder. Use letters, digits and . + - _ alone, or give it by itself."
                )
    found = []
    for chosen in product(*several.values()):
        values = dict(zip(several, chosen, strict=True))
        found.append(("_".join(f"{n}={v}" for n, v in values.items()), given | values))
    return found


def convert(name, text, kinds):
    """Return a value from the command line; see :func:`literal`.

    A text is taken as it stands where a parameter takes texts. A whole number is also a number,
    and a list also a tuple.

    Raises
    ------
    CourseError
        If the value has none of the types.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CourseError(f"parameter {name!r}: {text!r} is not UTF-8 text.") from None
    if kinds == (str,):
        return text
    value = literal(text)
    finite = is_finite(value)
    if finite and type(value) in (kinds or KINDS):
        return value
    for kind in kinds if finite else ():
        if (kind, type(value)) in {(float, int), (tuple, list), (list, tuple)}:
            with suppress(OverflowError):
                return kind(value)
    if str in kinds:
        return text
    wanted = " or ".join(KINDS[kind] for kind in kinds or KINDS)
    hint = "" if finite else " A notebook can hold finite numbers alone."
    raise CourseError(f"parameter {name!r} takes {wanted}, not {text!r:.80}.{hint}")


def is_finite(value):
    """Return whether JSON has all numbers that a value holds: it has no NaN and no infinity."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def literal(text):
    """Return a value as papermill reads it from its command line, or as Python or JSON write it.

    What is none of these is a text.
    """
    if text.lower() in CONSTANTS:
        return CONSTANTS[text.lower()]
    for read in (int, float, ast.literal_eval, json.loads):
        try:
            value = read(text)
            # Sets, bytes and keys of several types cannot be recorded in a notebook.
            json.dumps(value, sort_keys=True)
            return value
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, OverflowError):
            pass
    return text
