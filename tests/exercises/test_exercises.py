"""Exercises: the framework, and that every checker accepts its solution and no stub."""

import sys

import pytest
import torch

from gancourse import exercises
from gancourse.errors import CourseError
from gancourse.exercises import Exercise, exercise, expect, multiple_choice

EVERY = [ex for number in exercises.lessons() for ex in exercises.lesson(number)]


def test_there_are_exercises():
    assert EVERY


@pytest.mark.parametrize("ex", EVERY, ids=lambda ex: ex.number)
def test_solution_passes(ex):
    result = ex.check(ex.answer)
    assert result.passed, f"{result.fails}: {result.detail}"
    assert result.holds, "a checker tests at least one property"


@pytest.mark.parametrize("ex", EVERY, ids=lambda ex: ex.number)
def test_stub_is_not_yet_an_answer(ex):
    def stub(*args, **kwargs):
        raise NotImplementedError

    stubs = [None, ...] + (
        [stub] if callable(ex.answer) and not isinstance(ex.answer, type) else []
    )
    for answer in stubs:
        assert not ex.check(answer).written


def halving(answer):
    yield "zero stays zero"
    expect(answer(0.0), 0.0)
    yield "one becomes a half"
    expect(answer(1.0), 0.5)
    yield "the sign is kept"
    assert answer(-1.0) < 0, "it is lost"


@pytest.fixture
def ex():
    return Exercise("0.1", "Half", halving)


def test_every_property_is_named_when_all_hold(ex):
    result = ex.check(lambda x: x / 2)
    assert result.passed
    assert result.holds == ("zero stays zero", "one becomes a half", "the sign is kept")


def test_first_failing_property_is_named_with_both_values(ex):
    result = ex.check(lambda x: x)
    assert not result.passed
    assert result.holds == ("zero stays zero",)
    assert result.fails == "one becomes a half"
    assert "0.5" in result.detail
    assert "1" in result.detail


def test_own_words_of_an_assertion_are_the_detail(ex):
    assert ex.check(lambda x: abs(x) / 2).detail.startswith("it is lost")


def test_an_exception_in_the_answer_fails_the_property_that_met_it(ex):
    result = ex.check(lambda x: 1 / x)
    assert (result.fails, result.holds) == ("zero stays zero", ())
    assert result.detail.startswith("ZeroDivisionError: ")


def test_an_answer_of_the_wrong_kind_fails_and_does_not_raise(ex):
    assert ex.check("half").detail.startswith("TypeError: ")


@pytest.mark.parametrize("stub", [None, ..., (1, ...), {"a": None}, lambda x: None])
def test_what_is_left_open_is_not_yet_written(ex, stub):
    assert not ex.check(stub).written


def test_checking_does_not_disturb_the_training_and_sees_the_same_numbers_each_time():
    drawn = []

    def checker(answer):
        yield "draws"
        drawn.append(torch.rand(3))

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    Exercise("0.2", "", checker).check(1)
    assert torch.equal(torch.rand(3), expected)
    Exercise("0.2", "", checker).check(1)
    assert torch.equal(*drawn)


def test_a_checker_must_yield_names():
    with pytest.raises(TypeError, match=r"0\.3"):
        exercise("0.3", "Names nothing")(lambda answer: None)


def test_a_multiple_choice_names_the_wrong_letter_with_its_hint(monkeypatch):
    monkeypatch.setattr(exercises, "_registry", {})
    ex = multiple_choice("0.5", "Choose", "abc", right="ac", hints={"b": "see page 7"})
    assert all(ex.check(answer).passed for answer in ("ac", {"a", "C"}, ["c", "a"], "(a), (c)"))
    for answer in ("ab", "abc"):
        detail = ex.check(answer).detail
        assert detail.startswith("b ")
        assert "see page 7" in detail
    assert ex.check("a").holds == ex.check("c").holds != ex.check("b").holds
    assert "x" in ex.check("ax").detail


@pytest.mark.parametrize("hints", [{}, {"a": "", "b": ""}])
def test_a_multiple_choice_needs_a_hint_for_each_wrong_letter(hints):
    with pytest.raises(TypeError, match=r"0\.5"):
        multiple_choice("0.5", "Choose", "abc", right="ac", hints=hints)


def test_a_number_is_given_once(monkeypatch):
    monkeypatch.setattr(exercises, "_registry", {})
    exercise("0.4", "First")(halving)
    with pytest.raises(TypeError, match=r"0\.4"):
        exercise("0.4", "Second")(halving)


def test_a_lesson_is_loaded_by_its_number_and_only_then(monkeypatch, tmp_path):
    name = "gancourse.exercises.lesson_98"
    (tmp_path / "lesson_98.py").write_text(
        "from gancourse.exercises import exercise\n"
        "@exercise('98.1', 'One')\n"
        "def one(answer):\n"
        "    yield 'it is 1'\n"
        "    assert answer == 1\n"
        "one.solution(1, 'because')\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(exercises, "__path__", [str(tmp_path)])
    monkeypatch.setattr(exercises, "_registry", {})
    monkeypatch.delitem(sys.modules, name, raising=False)
    assert exercises.lessons() == [98]
    assert name not in sys.modules
    ex = exercises.find("98.1")
    assert (ex.title, ex.answer, ex.why) == ("One", 1, "because")
    with pytest.raises(CourseError, match=r"'98\.2'.* 98\.1"):
        exercises.find("98.2")
    with pytest.raises(CourseError, match=r"'97'.* 98"):
        exercises.find("97.1")
    del sys.modules[name]
