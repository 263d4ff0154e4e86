"""What a run keeps in files: its configuration, its parts, and the generator alone.

:mod:`gancourse.files` has the format.
"""

import json
from dataclasses import asdict

from gancourse.errors import CheckpointError
from gancourse.files import save


def describe(cfg):
    """Return a configuration as plain JSON values, as it reads back from a checkpoint."""
    return json.loads(json.dumps(asdict(cfg)))


def differences(old, new, ignore=()):
    """List how two configurations differ, a line each: ``lr: 0.0002 -> 0.001``."""
    names = [n for n in {**old, **new} if n not in ignore and old.get(n) != new.get(n)]
    return [f"{n}: {old.get(n, '(absent)')} -> {new.get(n, '(absent)')}" for n in names]


def load_parts(gan, states, where):
    """Load a state into each of the GAN's parts.

    Raises
    ------
    CheckpointError
        If a part is missing, or a network's shapes are not those of the file.
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
    """Write the networks to sample from, with what is needed to build them again.

    Parameters
    ----------
    path : str or Path
    gan : GAN
    half : bool
        Round the weights to half precision, for a file that ships.
    **card : JSON-able
        What is known of the run: ``model``, ``preset``, ``data``, ``seed``, ...
    """
    states = {name: net.state_dict() for name, net in gan.generators().items()}
    if half:
        states = {
            name: {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
            for name, state in states.items()
        }
    save(path, states, card={**card, "step": gan.step, "config": describe(gan.cfg)})
