"""Errors of translated faces against the renderer's own drawing of the requested change."""

from typing import NamedTuple

import torch

from gancourse.errors import choose
from gancourse.metrics.domains import COLOURS
from gancourse.toons import FACTORS, draw

TOGGLED = {  # attribute: its factor, the values that have it, the values that lack it
    "Eyeglasses": ("glasses", ("round", "square", "sun"), ("none",)),
    "Male_presenting": ("presentation", ("masculine",), ("feminine",)),
    "Young": ("age", ("young",), ("adult", "old")),
}


class CounterfactualErrors(NamedTuple):
    """What :func:`counterfactual_errors` returns, each a mean absolute error from 0 to 1.

    A value of 1 is the distance from black to white.

    Attributes
    ----------
    inside : float
        Where the renderer's drawing of the change differs from the face before.
    untouched : float
        The same of the face before: the error of a translator that does nothing.
    outside : float
        Where the drawing is the face before; a translator that does nothing has 0 there.
    whole, untouched_whole : float
        Over whole pictures.
    """

    inside: float
    untouched: float
    outside: float
    whole: float
    untouched_whole: float


def changed(factors, name):
    """Return the faces that a request for a label allows, from the renderer's own factors.

    Parameters
    ----------
    factors : gancourse.toons.Factors
        Of N faces.
    name : str
        A hair colour or an expression, which replaces the face's own, or one of ``TOGGLED``.

    Returns
    -------
    list of Factors
        One if the request leaves nothing open. The request for glasses leaves their shape and
        their colour open, that for a face that is not young leaves adult and old.

    Raises
    ------
    CourseError
        If the renderer cannot draw the change that ``name`` stands for.
    """
    choose("label", name, [*COLOURS, *FACTORS["expression"], *TOGGLED])
    if name in COLOURS:
        return [factors.replace(hair_colour=name.removesuffix("_Hair").lower())]
    if name in FACTORS["expression"]:
        return [factors.replace(expression=name)]
    factor, on, off = TOGGLED[name]
    now = getattr(factors, factor)
    has = torch.isin(now, torch.tensor([factors.code(factor, value) for value in on]))
    found = []
    for i in range(max(len(on), len(off))):
        codes = [factors.code(factor, values[i % len(values)]) for values in (off, on)]
        face = factors.replace(**{factor: torch.where(has, *codes)})
        colours = FACTORS["glasses_colour"] if factor == "glasses" else (None,)
        found += [face.replace(glasses_colour=c) if c else face for c in colours]
    return found


def counterfactual_errors(factors, name, before, after):
    """Compare translated faces with what the renderer draws for the same request.

    Parameters
    ----------
    factors : gancourse.toons.Factors
        Of the faces before.
    name : str
        The label that was requested: see :func:`changed`.
    before, after : float torch.Tensor, (N, 3, H, H) in [-1, 1]
        The faces and their translations.

    Returns
    -------
    CounterfactualErrors
        Where the request leaves something open, of the drawing that is nearest to each translation;
        for ``untouched`` of the one that is nearest to each face.

    Raises
    ------
    CourseError
        If the renderer cannot draw the change that ``name`` stands for.
    """
    size = before.shape[-1]
    drawings = [draw(face, size).images.float() / 127.5 - 1 for face in changed(factors, name)]
    truths = torch.stack(drawings, 1)  # (N, drawings, 3, H, H)

    def nearest(pictures):
        far = (pictures[:, None] - truths).abs().flatten(2).mean(2)
        return truths[torch.arange(len(pictures)), far.argmin(1)]

    def errors(pictures):
        truth = nearest(pictures)
        wrong = (pictures - truth).abs().mean(1) / 2  # (N, H, H)
        must_change = (truth - before).abs().amax(1) > 0.02  # more than rounding of soft edges
        inside = wrong[must_change].mean() if must_change.any() else wrong.new_zeros(())
        return inside.item(), wrong[~must_change].mean().item(), wrong.mean().item()

    inside, outside, whole = errors(after)
    untouched, _, untouched_whole = errors(before)
    return CounterfactualErrors(inside, untouched, outside, whole, untouched_whole)
