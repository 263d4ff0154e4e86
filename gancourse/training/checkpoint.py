"""What a run writes into its checkpoint and into the file of its generator.

:mod:`gancourse.files` has the format.
"""

import json
from dataclasses import asdict

from gancourse.errors import CheckpointError
from gancourse.files import save


def describe(cfg):
    """Return a configuration as JSON values, the form in which a checkpoint holds it."""
    return json.loads(json.dumps(asdict(cfg)))


def differences(old, new, ignore=()):
    """Return the differences of two configurations, one line each: ``lr: 0.0002 -> 0.001``.

    Parameters
    ----------
    old, new : dict
        As :func:`describe` returns them.
    ignore : collection of str
        Names that may differ.

    Returns
    -------
    list of str
    """
    names = [n for n in {**old, **new} if n not in ignore and old.get(n) != new.get(n)]
    return [f"{n}: {old.get(n, '(absent)')} -> {new.get(n, '(absent)')}" for n in names]


def load_parts(gan, states, where):
    """Load a state into each of the GAN's parts.

    Parameters
    ----------
    gan : GAN
    states : dict of str to dict
        A ``state_dict`` for each part, by name.
    where : str or Path
        Where the states are from, for the message.

    Raises
    ------
    CheckpointError
        If the GAN lacks a part, or a state does not fit its part.
    """
    for name, state in states.items():
        part = getattr(gan, name, None)
        if part is None:
            have = ", ".join(gan.parts())
            raise CheckpointError(f"{where} holds a part {name!r}; this GAN has only {have}.")
        try:
            part.load_state_dict(state)
        except (RuntimeError, ValueError, KeyError) as error:
            raise CheckpointError(f"{where} does not fit {name!r}: {error}") from error


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
