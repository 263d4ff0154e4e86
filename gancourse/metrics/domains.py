"""Whether a translated face became what was asked for, and stayed what it was otherwise."""

from typing import NamedTuple

import torch

from gancourse.errors import CourseError, choose
from gancourse.toons import FACTORS, code

COLOURS = {"Black_Hair", "Blond_Hair", "Brown_Hair", "Grey_Hair", "Red_Hair"}
# Attributes that change together: who asks for one of a group, or for the factor, leaves the
# rest of the group open.
KIN = (
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
    """What :func:`domain_errors` measures, each from 0, the best, to 1.

    Attributes
    ----------
    asked : float
        The share of faces that do not show all that was asked for: StarGAN's classification error.
    others : float
        The share of the other attributes that changed.
    """

    asked: float
    others: float


def domain_errors(judge, before, after, asked):
    """Compare faces with their translations, as the judge of faces sees both.

    Parameters
    ----------
    judge : FaceJudge
        ``load_judge("toons")``.
    before, after : float torch.Tensor, (N, 3, 64, 64) or (N, 3, 32, 32) in [-1, 1]
        Row i of one is the translation of row i of the other.
    asked : dict of str to value or sequence of N values
        Names of ``toons.ATTRIBUTES`` with True or False, or of ``toons.FACTORS`` with the name of
        a value or its code: ``{"Blond_Hair": True, "expression": "smile"}``.

    Returns
    -------
    DomainErrors

    Raises
    ------
    CourseError
        If nothing is asked for, a name or value is unknown, or the pictures do not fit.

    Notes
    -----
    StarGAN classifies its results by a network trained on real faces (Choi et al. 2018, arXiv
    1711.09020, section 5) and leaves it to the eye whether all else was kept. Attributes that
    depend on what was asked for, as sunglasses do on glasses, are not among the others. Both
    numbers include the judge's own mistakes: its card says how many on real faces.
    """
    if not asked or len(before) != len(after):
        raise CourseError(
            f"expected what was asked for, and as many faces before as after; found {asked!r} and "
            f"{len(before):,} and {len(after):,} faces"
        )
    for name in asked:
        choose("attribute or factor", name, [*judge.attributes, *FACTORS])
    seen, missed = judge.predict(after), torch.zeros(len(after), dtype=bool, device=judge.device)
    for name, value in asked.items():
        if name in FACTORS:
            value = code(name, value) if isinstance(value, str) else value
            found = judge.factor(after, name).argmax(1)
        else:
            found = seen[:, judge.attributes.index(name)]
        missed |= found != torch.as_tensor(value, device=judge.device)
    open_ = set(asked).union(*(kin for kin in KIN if kin & set(asked)))
    others = [column for column, name in enumerate(judge.attributes) if name not in open_]
    changed = (seen != judge.predict(before))[:, others]
    return DomainErrors(*(share.double().mean().item() for share in (missed, changed)))


def label_target(own, names, name):
    """Return the labels that ask a translator for one thing, and what a judge should then see.

    Parameters
    ----------
    own : float torch.Tensor, (N, number of attributes)
        The attributes that the faces have, 0 or 1.
    names : sequence of str
        What the translator can be asked: those attributes, and after them the expressions.
    name : str
        One of these. An expression is asked for, and so is a colour of hair, which replaces the
        face's own; any other attribute is switched: on where it is off, off where it is on.

    Returns
    -------
    target : float torch.Tensor, (N, number of names)
        Only the expression where that is what is asked for; else the attributes.
    asked : dict
        For :func:`domain_errors`.
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


def errors_by_label(judge, translate, before, own, names, wanted=None):
    """Ask a translator for each of its labels in turn, and compare what it makes of the faces.

    Parameters
    ----------
    judge : FaceJudge
    translate : callable
        Takes faces, (n, 3, H, H), and labels, (n, number of names), and returns faces.
    before, own, names
        As in :func:`domain_errors` and :func:`label_target`.
    wanted : sequence of str, optional
        The names to ask for; all if left out.

    Returns
    -------
    dict of str to DomainErrors
    """
    found = {}
    for name in names if wanted is None else wanted:
        target, asked = label_target(own, names, name)
        parts = zip(before.split(50), target.split(50), strict=True)
        after = torch.cat([translate(*part) for part in parts])
        found[name] = domain_errors(judge, before, after, asked)
    return found
