"""Parameters as a notebook declares them, and values as the command line writes them."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from papermill.translators import papermill_translators

from gancourse.batch import kernel  # noqa: F401  (registers the translator)
from gancourse.batch.parameters import Parameter, convert, find, values
from gancourse.errors import CourseError


def declared(source):
    cell = new_code_cell(source, metadata={"tags": ["parameters"]})
    return find(new_notebook(cells=[new_markdown_cell("# Parameters\nx = 1"), cell]))


@pytest.mark.parametrize(
    ("source", "default", "kinds"),
    [
        ("a = 0  # b = 1", 0, (int,)),
        ("a = -1.5", -1.5, (float,)),
        ("a = None", None, ()),
        ("a = 2 * 32", None, ()),
        ("a = int(0)", None, ()),
        ("a = [\n  1,\n  2]", [1, 2], (list,)),
        ("a = (1, 'b')", (1, "b"), (tuple,)),
        ("a = {'b': None}", {"b": None}, (dict,)),
        ("a = b'x'", b"x", ()),
        ("a: int = 0", 0, (int,)),
        ("a: float = 0", 0, (float,)),
        ("a: 'int' = 0", 0, (int,)),
        ("a: list[int] = []", [], (list,)),
        ("a: int | None = None", None, (int, type(None))),
        ("a: Optional[str] = None", None, (str, type(None))),
        ("a: typing.Union[int, 'str'] = 1", 1, (int, str)),
        ("a: Path = 'x'", "x", (str,)),
        ("a: int", None, (int,)),
        ("%matplotlib inline\na = 0", 0, (int,)),
        ("%%time\na = 0", 0, (int,)),
        ("!ls\na = 0", 0, (int,)),
        ("import os\na = 0", 0, (int,)),
        ("c = a = 0", 0, (int,)),
        ("b =\na = 0", None, ()),  # no Python: papermill finds the name
    ],
)
def test_a_parameter_is_found_with_its_default_and_its_types(source, default, kinds):
    assert declared(source)["a"] == Parameter(default, kinds)


@pytest.mark.parametrize("source", ["", "a == 1", "f(a=1)", "def f():\n    a = 1", "(" * 1000])
def test_what_is_no_assignment_is_no_parameter(source):
    assert declared(source) == {}


def test_only_a_code_cell_with_the_tag_has_parameters():
    cells = [new_code_cell("# Parameters\na = 1"), new_markdown_cell("a = 1")]
    cells[1].metadata["tags"] = ["parameters"]
    assert find(new_notebook(cells=cells)) == {}


@pytest.mark.parametrize(
    ("text", "kinds", "value"),
    [
        ("3", (int,), 3),
        ("1", (float,), 1.0),
        ("1e-3", (float,), 0.001),
        ("TRUE", (bool,), True),
        ("3", (str,), "3"),
        ("None", (str,), "None"),
        ("None", (str, type(None)), None),
        ("3", (str, type(None)), "3"),
        ("[1, 2]", (list,), [1, 2]),
        ('["a", null]', (list,), ["a", None]),
        ("[1, 2]", (tuple,), (1, 2)),
        ("{'a': 1}", (dict,), {"a": 1}),
        ("5", (), 5),
        ("none", (), None),
        ("(1, 2)", (), (1, 2)),
        ("a b", (), "a b"),
        ("nan", (str, float), "nan"),
        ("{1, 2}", (), "{1, 2}"),  # a set cannot be recorded
    ],
)
def test_a_value_has_the_type_of_its_parameter(text, kinds, value):
    found = convert("a", text, kinds)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "kinds", "wanted"),
    [
        ("x", (int,), "a whole number"),
        ("1.0", (int,), "a whole number"),
        ("True", (int,), "a whole number"),
        ("None", (int,), "a whole number"),
        ("9" * 5_000, (int,), "a whole number"),
        ("9" * 400, (float,), "a number"),
        ("nan", (float,), "finite numbers"),
        ("-Infinity", (float, type(None)), "finite numbers"),
        ("1e999", (), "finite numbers"),
        ("[1, NaN]", (list,), "finite numbers"),
        ("{'a': (1e999,)}", (), "finite numbers"),
        ("x", (float,), "a number"),
        ("1", (bool,), "true or false"),
        ("3", (list,), r"a list, as in \[1, 2\]"),
        ("[a, b]", (list,), r"a list, as in \[1, 2\]"),
        ("[" * 10_000, (list,), r"a list, as in \[1, 2\]"),
        ("x", (int, type(None)), "a whole number or None"),
        ("\udcff", (str,), "not UTF-8"),
    ],
)
def test_a_value_of_another_type_is_refused_in_one_short_line(text, kinds, wanted):
    with pytest.raises(CourseError, match=wanted) as refused:
        convert("a", text, kinds)
    assert len(str(refused.value)) < 250


def test_a_notebook_without_parameters_says_how_to_have_some():
    assert values({}, {}, "mine") == {}
    with pytest.raises(CourseError, match=r"mine has no parameters.*Tag a cell"):
        values({"seed": "1"}, {}, "mine")


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -1.5,
        float("inf"),
        'a"\\\n',
        [1, [2]],
        (),
        (1,),
        ((1, 2), "b"),
        {1: (2,), "a": None},
    ],
)
def test_a_value_is_injected_as_it_is(value):
    translator = papermill_translators.find_translator("python3", "python")
    assert eval(translator.translate(value)) == value
