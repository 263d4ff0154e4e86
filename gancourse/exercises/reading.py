"""Answers in whatever form they are given: a number, several, a set of letters, a tensor.

An answer that cannot be read raises an AssertionError that says what was found.
"""

import re
from collections.abc import Iterable, Mapping

import numpy as np
import torch

WORDS = {"and", "or", "only"}  # that may stand between letters


def number(answer):
    """Return one number as a float: of Python, NumPy or PyTorch, or in a text such as "1.39 nats".

    A list or tensor that holds one number is read as that number, and "819,200" as 819200.
    """
    if isinstance(answer, str):
        answer = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", answer)
    found = numbers(answer)
    assert len(found) == 1, f"expected one number, found {len(found)}"
    return found[0]


def numbers(answer):
    """Return several numbers, in any container or as a text, as a list of floats, in order."""
    if isinstance(answer, str):
        answer = answer.replace("\u2212", "-")  # the minus sign of a formula
        found = re.findall(r"[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?:\s*%)?", answer)
        assert found, f"found no number in {answer!r}"
        return [float(text.rstrip("% ")) / (100 if text[-1] == "%" else 1) for text in found]
    if isinstance(answer, torch.Tensor | np.ndarray):
        return [float(x) for x in torch.as_tensor(answer).detach().flatten().tolist()]
    if isinstance(answer, Iterable):
        values = answer.values() if isinstance(answer, Mapping) else answer
        return [x for part in values for x in numbers(part)]
    try:
        return [float(answer)]
    except (TypeError, ValueError):
        raise AssertionError(f"expected a number, found {answer!r:.60}") from None


def letters(answer, known):
    """Return the set of letters in an answer.

    Parameters
    ----------
    answer : set, list, dict or str
        Of letters or of texts: {"a", "C"}, "ac", "(a), (c)", "a and c"; in a dict, the letters
        whose value is true.
    known : str
        All letters that the question has.

    Returns
    -------
    set of str
        Lower case.
    """
    if isinstance(answer, Mapping):
        answer = [letter for letter, right in answer.items() if right]
    texts = [answer] if isinstance(answer, str) else list(answer)
    words = [word.lower() for text in texts for word in re.findall(r"\w+", str(text))]
    given = set().union(*(word for word in words if word not in WORDS))
    assert given <= set(known), f"found {', '.join(sorted(given - set(known)))}"
    return given


def tensor(answer):
    """Return a number, a tensor, an array or nested lists of these as one tensor.

    A tensor keeps its gradient.
    """
    if isinstance(answer, torch.Tensor):
        return answer
    if isinstance(answer, list | tuple) and any(isinstance(x, torch.Tensor) for x in answer):
        return torch.stack([tensor(x) for x in answer])
    try:
        return torch.as_tensor(np.asarray(answer))
    except (TypeError, ValueError):
        kind = type(answer).__name__
        raise AssertionError(f"expected a tensor or numbers, found {kind}") from None
