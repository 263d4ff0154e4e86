"""What a run writes into its checkpoint and into the file of its generator.

:mod:`gancourse.files.statefile` has the format.
"""

import json
from dataclasses import asdict

import torch

from gancourse.errors import CheckpointError, printable
from gancourse.files import schema
from gancourse.files.statefile import save
from gancourse.training import fitting


def describe(cfg):
    """Return a configuration as JSON values, the form in which a checkpoint holds it."""
    return json.loads(json.dumps(asdict(cfg)))


def differences(old, new, ignore=()):
    """Return the differences of two configurations, one line each: ``lr: 0.0002 -> 0.001``.

    Parameters
    ----------
    old, new : dict
        As :func:`describe` returns them; a dict inside is compared by its own names.
    ignore : collection of str
        Names that may differ.

    Returns
    -------
    list of str
    """
    lines = []
    for name in {**old, **new}:
        before, after = (side.get(name, "(absent)") for side in (old, new))
        if name in ignore or before == after:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            lines += [f"{name}.{line}" for line in differences(before, after)]
        else:
            lines.append(f"{printable(name)}: {printable(before)} -> {printable(after)}")
    return lines


def check_step(state, where):
    """Raise a CheckpointError unless a state from a checkpoint says at which step it was kept."""
    step = state.get("step") if isinstance(state, dict) else None
    if type(step) is not int or step < 0:
        raise CheckpointError(
            f"{printable(where)} does not say at which step it was kept. Take another file, or go "
            "back to a copy."
        )


def check(gan, state, shapes, where):
    """Raise an error unless a state from a checkpoint fits the GAN in all its parts.

    Parameters
    ----------
    gan : GAN
    state : object
        What the file holds; see :class:`gancourse.training.store.Store`.
    shapes : collection of tuple of int
        Those that a picture of the data may have.
    where : str or Path
        Where the state is from, for the message.

    Raises
    ------
    CheckpointError
    """
    known = {"step", "windows", "parts", "random", "records", "window"}
    try:
        if not isinstance(state, dict) or state.keys() != known:
            raise ValueError(f"it has {fitting.listed(state)}, not {', '.join(sorted(known))}")
        counts = {name: state[name] for name in ("step", "windows")}
        schema.read(dict[str, int], counts, "its counts", ValueError)
        if min(counts.values()) < 0:
            raise ValueError("a count is below 0")
        fitting.check_parts(gan, state["parts"], shapes)
        fitting.check_random(state["random"])
        check_steps(state["records"], 2, state["step"])
        check_steps(state["window"], 3, state["step"])
        for _, tags, values in state["window"]:
            schema.read(list[str], tags, "the tags of its window", ValueError)
            kind = values.dtype if isinstance(values, torch.Tensor) else None
            fitting.check_tensor(values, torch.zeros(len(tags), dtype=kind), "its window")
    except ValueError as error:
        raise CheckpointError(
            f"{where} does not fit this GAN: {printable(error, 300)}. It is damaged, or from "
            "another version. Go back to a copy, or begin anew in another folder."
        ) from error


def check_steps(rows, length, last):
    """Raise ValueError unless rows are lists that begin with rising step numbers up to ``last``."""
    if not isinstance(rows, list) or not all(
        isinstance(row, list | tuple) and len(row) == length and type(row[0]) is int for row in rows
    ):
        raise ValueError("it has an odd list of records or losses")
    steps = [row[0] for row in rows]
    if steps != sorted({*steps}) or any(not 0 <= step <= last for step in steps):
        raise ValueError("the steps of its records or losses do not rise")


def load_parts(gan, states):
    """Load a state into each of the GAN's parts; :func:`check` has found that they fit."""
    for name, part in gan.parts().items():
        part.load_state_dict(states[name])


def save_generator(path, gan, *, half=False, **card):
    """Write the networks to sample from, and the configuration to build them from.

    Parameters
    ----------
    path : str or Path
    gan : GAN
    half : bool
        Round the weights to half precision, which halves the size of the file.
    **card : JSON-able
        Facts about the run: ``model``, ``preset``, ``data``, ``seed``, ...
    """
    states = {name: net.state_dict() for name, net in gan.generators().items()}
    if half:
        states = {
            name: {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
            for name, state in states.items()
        }
    save(path, states, card={**card, "step": gan.step, "config": describe(gan.cfg)})
