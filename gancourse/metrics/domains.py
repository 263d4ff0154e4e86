"""Errors of a face translator: requested attributes it missed, other attributes it changed."""

from typing import NamedTuple

import torch

from gancourse.errors import CourseError, choose
from gancourse.toons import FACTORS, code

COLOURS = {"Black_Hair", "Blond_Hair", "Brown_Hair", "Grey_Hair", "Red_Hair"}
# Attributes and factors that depend on each other. A request for one member of a group allows the
# other members of the group to change too.
RELATED = (
    COLOURS | {"hair_colour"},
    {"hair", "Bald", "Curly_Hair", "Long_Hair"},
    {"glasses", "Eyeglasses", "Sunglasses"},
    {"beard", "Facial_Hair", "Beard"},
    {"age", "Young", "Old"},
    {"expression", "Smiling", "Mouth_Open"},
    {"presentation", "Male_presenting"},
    {"freckles", "Freckles"},
    {"earrings", "Wearing_Earrings"},
    {"hat", "Wearing_Hat"},
)


class DomainErrors(NamedTuple):
    """What :func:`domain_errors` returns, each from 0, the best, to 1.

    Attributes
    ----------
    asked : float
        The share of faces that lack at least one requested value: StarGAN's classification error.
    others : float
        The share of attributes that changed, among those that the request leaves as they were.
    """

    asked: float
    others: float


def domain_errors(judge, before, after, asked):
    """Compare faces with their translations by the attributes that the judge of faces predicts.

    Parameters
    ----------
    judge : FaceJudge
        ``load_judge("toons")``.
    before, after : float torch.Tensor, (N, 3, 64, 64) or (N, 3, 32, 32) in [-1, 1]
        Row i of ``after`` is the translation of row i of ``before``.
    asked : dict of str to value or sequence of N values
        What the translator was asked for: names of ``toons.ATTRIBUTES`` with True or False, names
        of ``toons.FACTORS`` with the name or the code of a value, such as
        ``{"Blond_Hair": True, "expression": "smile"}``.

    Returns
    -------
    DomainErrors

    Raises
    ------
    CourseError
        If ``asked`` is empty, a name or value is unknown, ``before`` and ``after`` differ in
        number, or the judge refuses the pictures.

    Notes
    -----
    The StarGAN paper classifies its results by a network trained on real faces, and shows without
    a number that the other attributes stay (Choi et al. 2018, arXiv 1711.09020, section 5).
    Attributes that depend on a requested one, as sunglasses depend on glasses, are not among the
    others. Both errors include the judge's own mistakes; its card has their rate on real faces.
    """
    if not asked:
        raise CourseError("asked: expected at least one attribute or factor, found none")
    if len(before) != len(after):
        raise CourseError(
            f"expected one translation for each face, found {len(before):,} faces before and "
            f"{len(after):,} after"
        )
    for name in asked:
        choose("attribute or factor", name, [*judge.attributes, *FACTORS])
    predicted = judge.predict(after)  # (N, number of attributes)
    missed = torch.zeros(len(after), dtype=bool, device=judge.device)
    for name, value in asked.items():
        if name in FACTORS:
            value = code(name, value) if isinstance(value, str) else value
            found = judge.factor(after, name).argmax(1)
        else:
            found = predicted[:, judge.attributes.index(name)]
        missed |= found != torch.as_tensor(value, device=judge.device)
    may_change = set(asked).union(*(group for group in RELATED if group & set(asked)))
    others = [column for column, name in enumerate(judge.attributes) if name not in may_change]
    changed = (predicted != judge.predict(before))[:, others]
    return DomainErrors(*(share.double().mean().item() for share in (missed, changed)))


def label_target(own, names, name):
    """Return the target labels that change one attribute, and what a judge should then predict.

    Parameters
    ----------
    own : float torch.Tensor, (N, number of attributes)
        The attributes of the faces, 0 or 1.
    names : sequence of str
        The translator's labels: first those attributes, then the expressions.
    name : str
        The label to request. An expression or a hair colour replaces the face's own; any other
        attribute is toggled.

    Returns
    -------
    target : float torch.Tensor, (N, number of names)
        0 or 1. The requested expression alone, or all attributes with the requested change.
    asked : dict
        The same request, for :func:`domain_errors`.

    Raises
    ------
    CourseError
        If ``name`` is none of ``names``.
    """
    column = list(names).index(choose("label", name, names))
    target = torch.zeros(len(own), len(names), device=own.device)
    if name in FACTORS["expression"]:
        target[:, column] = 1
        return target, {"expression": name}
    target[:, : own.shape[1]] = own
    if name in COLOURS:
        target[:, [other in COLOURS for other in names]] = 0
    target[:, column] = 1 - target[:, column]
    return target, {name: target[:, column] > 0}


def errors_by_label(judge, translate, before, own, names, requested=None):
    """Request each label from a translator in turn, and measure the errors of its translations.

    Parameters
    ----------
    judge : FaceJudge
        ``load_judge("toons")``.
    translate : callable
        ``translate(faces, target)`` returns the translations (n, 3, H, H) of faces (n, 3, H, H)
        under target labels (n, number of names).
    before : float torch.Tensor, (N, 3, 64, 64) or (N, 3, 32, 32) in [-1, 1]
    own, names
        See :func:`label_target`.
    requested : sequence of str, optional
        The names to request; by default all of ``names``.

    Returns
    -------
    dict of str to DomainErrors
    """
    found = {}
    for name in names if requested is None else requested:
        target, asked = label_target(own, names, name)
        parts = zip(before.split(50), target.split(50), strict=True)
        after = torch.cat([translate(*part) for part in parts])
        found[name] = domain_errors(judge, before, after, asked)
    return found
