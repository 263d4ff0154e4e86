"""The blind ranking keeps an order, and counts the pairs in which measures agree with it."""

import pytest
import torch

from gancourse.errors import CourseError
from gancourse.widgets import BlindRanking

GREYS = {"p": -0.5, "q": 0.0, "r": 0.5}
SHEETS = {name: torch.full((12, 1, 8, 8), grey) for name, grey in GREYS.items()}


def ranked(*names):
    tool = BlindRanking(SHEETS)
    tool.ui  # noqa: B018 - makes the widget
    for place, name in enumerate(names, start=1):
        tool.places[name].value = place
    tool.attempt(tool.update)
    return tool


def test_the_names_are_hidden_and_the_letters_shuffled():
    tool = BlindRanking(SHEETS, seed=1)
    assert sorted(tool.letters) == ["p", "q", "r"]
    assert [ax.get_title(loc="left") for ax in tool.still().axes] == ["A", "B", "C"]
    orders = {tuple(BlindRanking(SHEETS, seed=seed).letters) for seed in range(9)}
    assert len(orders) > 1


def test_an_order_is_kept_once_each_place_is_given_once():
    assert ranked("q", "p", "r").order == ["q", "p", "r"]
    halfway = ranked("q", "p")
    assert halfway.order is None and "each place" in halfway.problem.value


def test_pairs_that_a_measure_orders_in_the_same_way_are_counted():
    values = {"p": 3.0, "q": 2.0, "r": 1.0}
    scores = {
        "same": values,
        "opposite": {name: -value for name, value in values.items()},
        "tie": dict.fromkeys("pqr", 1.0),
        "one swapped": {"p": 2.0, "q": 3.0, "r": 1.0},
    }
    rows = ranked("p", "q", "r").agreement(scores).rows
    assert [row[2] for row in rows] == ["3 of 3", "0 of 3", "1.5 of 3", "2 of 3"]


def test_without_a_ranking_the_orders_are_shown_alone():
    tool = BlindRanking(SHEETS)
    (row,) = tool.agreement({"measure": {"p": 3.0, "q": 2.0, "r": 1.0}}).rows
    assert row[1] == " ".join(tool.letters[name] for name in "pqr")
    assert row[2] == "rank them first"


def test_one_sheet_is_refused():
    with pytest.raises(CourseError, match="2 to 8"):
        BlindRanking({"p": SHEETS["p"]})
