"""Exercises that check themselves.

The exercises of lesson 1 stand in ``gancourse/exercises/lesson_01.py``. A checker names a
property, then tests it. It accepts whatever is right, in any form: it reads answers with
:mod:`~gancourse.exercises.reading`, and compares outputs *and gradients* with those of a right
function on random input, with :mod:`~gancourse.exercises.comparing`, or a training step's with
:mod:`~gancourse.exercises.steps`::

    @exercise("1.2", "The loss that does not saturate")
    def non_saturating(g_loss):
        yield "the loss is log 2 where the logits are 0"
        expect(g_loss(torch.zeros(4)), math.log(2))
        yield "it and its gradient are right for any logits"
        expect_same(g_loss, non_saturating.answer, torch.randn(9))

    @non_saturating.solution
    def g_loss(fake_logits):
        return F.softplus(-fake_logits).mean()
"""

import importlib
import inspect
import pkgutil
from dataclasses import dataclass

import torch

from gancourse.errors import choose
from gancourse.exercises.comparing import expect, expect_number, expect_same, short
from gancourse.exercises.reading import letters
from gancourse.training.runtime import undisturbed

__all__ = [
    "Exercise", "exercise", "expect", "expect_names", "expect_number", "expect_same", "find",
    "lesson", "lessons", "multiple_choice", "short",
]  # fmt: skip

_registry = {}


@dataclass(frozen=True)
class Result:
    """The result of checking one answer.

    Attributes
    ----------
    holds : tuple of str
        The properties that hold, in the order of testing, up to the first that fails.
    fails : str or None
        The first property that fails.
    detail : str
        What the failing test expected and what it found.
    written : bool
        False if the answer is still the notebook's stub.
    """

    holds: tuple = ()
    fails: str | None = None
    detail: str = ""
    written: bool = True

    @property
    def passed(self):
        """Whether every property holds."""
        return self.written and self.fails is None


@dataclass
class Exercise:
    """One exercise: a checker and its solution."""

    number: str
    title: str
    checker: callable
    answer: object = None
    why: str = ""

    def solution(self, answer, why=""):
        """Set the solution: decorates a function or class, or takes a value and why it is right."""
        self.answer, self.why = answer, why
        return answer

    def check(self, answer):
        """Test ``answer`` property by property, with the same random numbers in every call.

        Returns
        -------
        Result
            Also if the answer raises an exception: then the property under test fails.
        """
        if _is_stub(answer):
            return Result(written=False)
        names = []
        with undisturbed():
            torch.manual_seed(0)
            try:
                names.extend(self.checker(answer))
            except NotImplementedError:
                return Result(written=False)
            except AssertionError as problem:
                detail = str(problem)
            except Exception as problem:
                detail = f"{type(problem).__name__}: {problem}"
            else:
                return Result(holds=tuple(names))
        *holds, fails = names or ["the answer has the right form"]
        return Result(holds=tuple(holds), fails=fails, detail=detail)


def exercise(number, title):
    """Register the decorated generator function as the checker of exercise ``number``.

    The checker takes the answer. It yields the name of a property and then tests it, by
    ``assert`` or :func:`expect`, before it yields the next name.
    """

    def register(checker):
        if not inspect.isgeneratorfunction(checker) or number in _registry:
            raise TypeError(
                f"exercise {number}: the checker must be a generator function that yields names of "
                "properties, and the number must not be taken"
            )
        _registry[number] = Exercise(number, title, checker)
        return _registry[number]

    return register


def multiple_choice(number, title, known, right, hints):
    """Register an exercise that is answered by the letters of the right statements.

    Parameters
    ----------
    number, title : str
    known, right : str
        The letters of all statements, and those of the right ones: "abcde", "ace".
    hints : dict of str to str
        For each wrong letter, what to read or to compute to see that it is wrong.

    Returns
    -------
    Exercise
    """
    if set(hints) != set(known) - set(right):
        raise TypeError(f"exercise {number}: each wrong letter needs a hint, and no other letter")

    def checker(answer):
        yield f"the answer names some of the letters {known[0]} to {known[-1]}"
        given = letters(answer, known)
        yield "no letter is wrong"
        wrong = sorted(given - set(right))
        assert not wrong, f"{wrong[0]} is wrong: {hints[wrong[0]]}"
        yield "no letter is missing"
        assert given == set(right), "at least one more is right"

    return exercise(number, title)(checker)


def find(number):
    """Return the :class:`Exercise` with that number, such as ``"1.2"``.

    Raises
    ------
    CourseError
        If there is no such exercise; the message lists those of the lesson.
    """
    known = {ex.number: ex for ex in lesson(str(number).partition(".")[0])}
    return known[choose("exercise", str(number), known)]


def lesson(number):
    """Return the exercises of lesson ``number``, in the order of their file."""
    choose("lesson with exercises", str(number), map(str, lessons()))
    importlib.import_module(f"{__name__}.lesson_{int(number):02d}")
    return [ex for ex in _registry.values() if ex.number.partition(".")[0] == str(number)]


def lessons():
    """Return the numbers of the lessons that have exercises."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return sorted(int(name.removeprefix("lesson_")) for name in names if "lesson_" in name)


def expect_names(answer, names):
    """Assert that the answer is a dict with exactly these names."""
    found = ", ".join(map(str, answer))
    assert set(answer) == set(names), f"expected {', '.join(names)}; found {found}"


def _is_stub(answer):
    """Return whether the answer, or a part of it, is still ``...`` or ``None``."""
    if isinstance(answer, dict):
        answer = tuple(answer.values())
    if isinstance(answer, tuple | list):
        return any(map(_is_stub, answer))
    return answer is None or answer is ...
