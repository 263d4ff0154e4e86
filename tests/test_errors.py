"""Messages are safe to print, whatever the file they speak of holds."""

import pytest

from gancourse.errors import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a name · 猫 é", "a name · 猫 é"),
        ("two\nlines\ttab", "two\\nlines\\ttab"),
        ("\x1b[31mred\x9b0m", "\\x1b[31mred\\x9b0m"),
        ("safe\u202egnp.exe", "safe\\u202egnp.exe"),
        ("line\u2028separator", "line\\u2028separator"),
        ("half \udcff", "half \\udcff"),
        (["a", 1], "['a', 1]"),
        ("", ""),
    ],
)
def test_what_is_printed_holds_no_control_codes(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize("text", ["x" * 11, "\x1b" * 10, "x" * 9 + "\n"])
def test_a_long_text_is_cut(text):
    assert len(printable(text, limit=10)) == 10
    assert printable(text, limit=10).endswith("...")


def test_a_text_as_long_as_the_limit_is_whole():
    assert printable("x" * 10, limit=10) == "x" * 10
