"""Comparisons of answers with right ones: values, and gradients too."""

import math

import numpy as np
import pytest
import torch

from gancourse.exercises.comparing import expect, expect_number, expect_same, short


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (0.5, 0.5 + 1e-6),
        (torch.tensor(0.5), 0.5),
        (2, 2.0),
        (torch.ones(2, 2), torch.ones(2, 2)),
        ("a", "a"),
        ({1, 2}, {2, 1}),
    ],
)
def test_expect_accepts_equals(got, expected):
    expect(got, expected)


@pytest.mark.parametrize(
    ("got", "expected", "shown"),
    [
        (0.5, 0.5 + 1e-3, ("0.501", "0.5")),
        (math.nan, 0.5, ("0.5", "nan")),
        (torch.ones(2), torch.ones(2, 1), ("(2, 1)", "(2,)")),
        (torch.ones(2), torch.zeros(2), ("[0, 0]", "[1, 1]")),
        (torch.ones(5, 5), torch.zeros(5, 5), ("from 0 to 0", "25 numbers from 1 to 1")),
        ("A", "B", ("B", "A")),
    ],
)
def test_expect_refuses_and_shows_both(got, expected, shown):
    with pytest.raises(AssertionError) as problem:
        expect(got, expected)
    wanted, found = str(problem.value).split(", got ")
    assert wanted.endswith(shown[0])
    assert found == shown[1]


@pytest.mark.parametrize(
    ("value", "text"), [(0.123456, "0.1235"), (12345, "12345"), (8.0, "8"), ("8 of 8", "8 of 8")]
)
def test_numbers_are_shown_with_four_digits_and_whole_ones_in_full(value, text):
    assert short(value) == text


@pytest.mark.parametrize("got", [[1, 1], np.ones(2), (1.0, torch.tensor(1.0))])
def test_expect_reads_lists_and_arrays_where_a_tensor_is_expected(got):
    expect(got, torch.ones(2))


def test_expect_takes_one_number_in_any_shape():
    for got in (torch.ones(1), np.array([[1.0]]), [1]):
        expect(got, 1.0)
        expect(got, torch.tensor(1.0))


def test_a_number_is_refused_with_the_hint_and_without_the_right_one():
    expect_number("1.39", math.log(4), "add both")
    with pytest.raises(AssertionError, match=r"0\.69 is wrong: add both") as problem:
        expect_number(0.69, math.log(4), "add both")
    assert "1.3" not in str(problem.value)


def square(x, scale):
    return (scale * x**2).sum()


def test_functions_with_the_same_values_and_gradients_agree():
    expect_same(lambda x, scale: scale * x @ x, square, torch.randn(5), 3.0)
    expect_same(lambda x: x + 0, lambda x: x, torch.randn(2, 3))
    expect_same(lambda x: 0.0, lambda x: 0 * x.sum(), torch.randn(3))


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda x: x.detach().square().sum(), "no gradient"),
        (lambda x: x.square().sum() + 2 * (x - x.detach()).sum(), "gradient is off"),
        (lambda x: 2 * x.square().sum(), "expected"),
        (lambda x: x.square().sum() * (x / x.detach()).mean() * math.nan, "nan"),
    ],
)
def test_functions_that_differ_in_value_or_gradient_are_told_apart(function, why):
    with pytest.raises(AssertionError, match=why):
        expect_same(function, lambda x: square(x, 1.0), torch.randn(5))


def test_the_inputs_of_a_comparison_are_not_changed():
    x = torch.ones(3)
    expect_same(lambda x: x.mul_(2), lambda x: 2 * x, x)
    assert torch.equal(x, torch.ones(3))


def test_a_function_that_returns_nothing_is_not_written_yet():
    with pytest.raises(NotImplementedError):
        expect_same(lambda x: None, lambda x: x, torch.ones(3))
