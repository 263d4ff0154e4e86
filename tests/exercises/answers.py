"""Answers to the exercises of a lesson: unusual right ones and plausible wrong ones."""

from collections import Counter

import pytest

from gancourse import exercises

ENOUGH = 5  # of each kind for each exercise


class Answers:
    """The answers of a lesson; :meth:`tests` makes tests of them.

    >>> answers = Answers(1)
    >>> answers.accept("1.1", 2, "two", [2])
    >>> @answers.refuse("1.2")
    ... def too_late(x): ...
    """

    def __init__(self, lesson):
        self.lesson, self.right, self.wrong = lesson, [], []

    def accept(self, number, *values):
        """Add right answers: values, or the function that is decorated."""
        return self._add(self.right, number, values)

    def refuse(self, number, *values):
        """Add wrong answers: values, or the function that is decorated."""
        return self._add(self.wrong, number, values)

    def _add(self, to, number, values):
        def decorate(answer):
            to.append((number, answer))
            return answer

        for value in values:
            decorate(value)
        return decorate

    def tests(self):
        """Return a test that all right ones pass, that no wrong one does, and of their number."""

        def of(pairs):
            names = [f"{n}-{getattr(answer, '__name__', i)}" for i, (n, answer) in enumerate(pairs)]
            return pytest.mark.parametrize(("number", "answer"), pairs, ids=names)

        @of(self.right)
        def passes(number, answer):
            result = exercises.find(number).check(answer)
            assert result.passed, f"{result.fails}: {result.detail}"

        @of(self.wrong)
        def is_refused(number, answer):
            result = exercises.find(number).check(answer)
            assert result.written
            assert not result.passed

        @pytest.mark.parametrize("ex", exercises.lesson(self.lesson), ids=lambda ex: ex.number)
        def are_enough(ex):
            for pairs in (self.right, self.wrong):
                assert Counter(number for number, _ in pairs)[ex.number] >= ENOUGH

        return passes, is_refused, are_enough
