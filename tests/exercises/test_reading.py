"""Answers are read in any form."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch

from gancourse.exercises.reading import letters, number, numbers, tensor


@pytest.mark.parametrize(
    "answer",
    [
        1.5,
        Fraction(3, 2),
        Decimal("1.5"),
        "1.5 nats",
        "about 1.5",
        "+1.5e0",
        "150 %",
        "150%",
        np.float16(1.5),
        np.array([[1.5]]),
        torch.tensor(1.5, requires_grad=True),
        torch.tensor([1.5], dtype=torch.bfloat16),
        [1.5],
        {1.5},
    ],
)
def test_a_number_may_have_any_form(answer):
    assert number(answer) == 1.5


@pytest.mark.parametrize("answer", ["819,200", "about 819,200.0 products", 819_200])
def test_a_number_may_have_commas_between_thousands(answer):
    assert number(answer) == 819_200
    assert numbers("10, 200, 3000") == [10, 200, 3000]


def test_the_minus_sign_of_a_formula_counts():
    assert number("\u22121.5") == -1.5


@pytest.mark.parametrize("answer", ["", "one", [1, 2], [], object(), None, "1 or 2"])
def test_what_is_not_one_number_is_refused(answer):
    with pytest.raises(AssertionError, match=r"expected|found"):
        number(answer)


@pytest.mark.parametrize(
    "answer",
    [
        [-1, 0.5, 2],
        "-1, 0.5 and 2",
        "(-1; .5; 2.0)",
        (torch.tensor(-1), np.float64(0.5), 2),
        np.array([-1, 0.5, 2]),
        torch.tensor([[-1, 0.5, 2]]),
        {"a": -1, "b": 0.5, "c": 2},
        (x for x in (-1, 0.5, 2)),
    ],
)
def test_several_numbers_may_have_any_form(answer):
    assert numbers(answer) == [-1.0, 0.5, 2.0]


@pytest.mark.parametrize(
    "answer",
    [
        "ac",
        "a, c",
        "(a), (c)",
        "A and C",
        "a) c)",
        "a\nc",
        {"a", "C"},
        ["a)", "(c)"],
        ("ac",),
        {"a": True, "b": False, "c": 1},
    ],
)
def test_letters_may_have_any_form(answer):
    assert letters(answer, "abc") == {"a", "c"}


@pytest.mark.parametrize("answer", ["ax", ["a", "the first"], {"a", 3}])
def test_what_is_no_letter_of_the_question_is_refused(answer):
    with pytest.raises(AssertionError, match="found"):
        letters(answer, "abc")


@pytest.mark.parametrize(
    "answer",
    [[1, 2], (1.0, 2.0), np.array([1, 2]), torch.tensor([1, 2]), [torch.tensor(1), 2]],
)
def test_a_tensor_may_be_a_list_or_an_array(answer):
    assert tensor(answer).tolist() == [1, 2]


def test_a_tensor_keeps_its_gradient_also_in_a_list():
    x = torch.ones(2, requires_grad=True)
    assert tensor(x) is x
    assert tensor([x[0], x[1]]).requires_grad


@pytest.mark.parametrize("answer", [object(), [1, [2, 3]], "text"])
def test_what_is_no_tensor_is_refused(answer):
    with pytest.raises(AssertionError, match=r"expected a tensor|found"):
        tensor(answer)
