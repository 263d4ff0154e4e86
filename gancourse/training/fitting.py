"""Whether a state from a file fits a GAN, found out before any of it is loaded.

A part is loaded without a look at the shapes inside it: an optimizer would read and write beyond
its memory. So a state is compared with the one that the GAN itself would save.
"""

import copy
import math
import random

import numpy as np
import torch
from torch.optim.lr_scheduler import LRScheduler

from gancourse.training.runtime import random_state, undisturbed


def check_parts(gan, found, shapes=()):
    """Raise ValueError unless ``found`` holds a state that fits for each of the GAN's parts.

    Parameters
    ----------
    gan : GAN
    found : dict of str to dict
    shapes : collection of tuple of int
        Those that a picture of the data may have.
    """
    parts = gan.parts()
    if not isinstance(found, dict) or found.keys() != parts.keys():
        raise ValueError(f"it holds the parts {listed(found)}; this GAN has {listed(parts)}")
    for name, part in parts.items():
        if isinstance(part, torch.optim.Optimizer):
            check_optimizer(found[name], part, name)
        elif isinstance(part, torch.nn.Module | LRScheduler):
            check_form(found[name], part.state_dict(), name)
        else:
            check_other(found[name], part, shapes, name)


def check_form(found, wanted, place):
    """Raise ValueError unless two nested states have the same form.

    The form: names, lengths, shapes, types, and the values of text, bool and None. Numbers must be
    finite. A list may stand for a tuple.
    """
    if isinstance(wanted, torch.Tensor):
        check_tensor(found, wanted, place)
    elif isinstance(wanted, dict):
        if not isinstance(found, dict) or found.keys() != wanted.keys():
            raise ValueError(f"{place} has {listed(found)} and not {listed(wanted)}")
        for key, value in wanted.items():
            check_form(found[key], value, f"{place}.{key}")
    elif isinstance(wanted, list | tuple):
        if not isinstance(found, list | tuple) or len(found) != len(wanted):
            raise ValueError(f"{place} must have {len(wanted)} values")
        for i, value in enumerate(wanted):
            check_form(found[i], value, f"{place}.{i}")
    elif isinstance(wanted, int | float) and not isinstance(wanted, bool):
        if not is_number(found):
            raise ValueError(f"{place} must be a finite number, not {found!r:.60}")
    elif type(found) is not type(wanted) or found != wanted:
        raise ValueError(f"{place} must be {wanted!r}, not {found!r:.60}")


def check_tensor(found, wanted, place):
    """Raise ValueError unless ``found`` is a tensor of the same shape and dtype, and finite."""
    if not isinstance(found, torch.Tensor):
        raise ValueError(f"{place} must be a tensor, not {found!r:.60}")
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        forms = (
            f"{tuple(t.shape)} of {str(t.dtype).removeprefix('torch.')}" for t in (wanted, found)
        )
        raise ValueError("{} must have the shape {}, not {}".format(place, *forms))
    if not found.isfinite().all():
        raise ValueError(f"{place} holds NaN or infinite numbers")


def check_optimizer(found, optimizer, place):
    """Raise ValueError unless an optimizer's state fits its weights."""
    wanted = optimizer.state_dict()
    if not isinstance(found, dict) or found.keys() != wanted.keys():
        raise ValueError(f"{place} has {listed(found)} and not {listed(wanted)}")
    check_form(found["param_groups"], wanted["param_groups"], f"{place}.param_groups")
    for ours, theirs in zip(wanted["param_groups"], found["param_groups"], strict=True):
        if ours["params"] != [*theirs["params"]]:
            raise ValueError(f"{place}.param_groups belong to other weights")
    made = after_a_step(optimizer)  # a weight without a gradient so far has no state
    if not isinstance(found["state"], dict) or not found["state"].keys() <= made.keys():
        raise ValueError(f"{place}.state belongs to other weights")
    for number, state in found["state"].items():
        check_form(state, made[number], f"{place}.state.{number}")


def after_a_step(optimizer):
    """Return the state of an optimizer of this kind and of such weights after one step."""
    groups = [
        group | {"params": [torch.zeros(p.shape, dtype=p.dtype) for p in group["params"]]}
        for group in optimizer.param_groups
    ]
    twin = type(optimizer)(groups)
    for group in groups:
        for weight in group["params"]:
            weight.grad = torch.zeros_like(weight)
    twin.step()
    return twin.state_dict()["state"]


def check_other(found, part, shapes, place):
    """Raise ValueError unless a part of another kind, such as a pool of pictures, takes a state."""
    trial = copy.deepcopy(part)
    try:
        with undisturbed():
            trial.load_state_dict(found)
    except Exception as error:  # what a part raises for a wrong state is not agreed upon
        raise ValueError(f"{place} does not take its state: {error!r:.100}") from error
    check_form(found, trial.state_dict(), place)
    for name, own in part.state_dict().items():
        rows = shapes if own is None else [getattr(own, "shape", ())[1:]]
        value = found[name]
        if isinstance(value, torch.Tensor) and value.shape[1:] not in rows:
            raise ValueError(f"{place}.{name} has rows of the shape {tuple(value.shape[1:])}")


def check_random(found):
    """Raise ValueError unless ``found`` is a state of the random sources that can be set."""
    wanted = random_state()
    if not isinstance(found, dict) or found.keys() != wanted.keys():
        raise ValueError(f"random has {listed(found)} and not {listed(wanted)}")
    if not isinstance(found["cuda"], list | None):
        raise ValueError("random.cuda is no list")
    for name in ("cuda", "mps"):  # of a machine with other devices, they are not set
        if devices(found[name]) != devices(wanted[name]):
            wanted[name] = found[name]
    check_form(found, wanted, "random")
    keys, (position, *_) = found["numpy"]["keys"], found["numpy"]["rest"]
    if not (0 <= position <= len(keys) and 0 <= keys.min() and keys.max() < 2**32):
        raise ValueError("random.numpy is no state of its generator")
    try:
        random.Random().setstate((3, tuple(found["python"]), None))
        np.random.RandomState().set_state(
            ("MT19937", keys.numpy().astype(np.uint32), *found["numpy"]["rest"])
        )
        torch.Generator().set_state(found["torch"])
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise ValueError(f"random cannot be set: {error}") from error


def devices(state):
    """Return the number of devices that a state is of: a list, a single state, or None."""
    return len(state) if isinstance(state, list) else int(state is not None)


def is_number(value):
    """Return whether a value is a finite int or float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def listed(value):
    """Return the names in a dict as text."""
    return ", ".join(map(str, value)) or "nothing" if isinstance(value, dict) else f"{value!r:.60}"
