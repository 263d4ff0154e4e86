"""The whole state of a run in one file: written all or not at all, read without running code.

A checkpoint is a safetensors file. Its tensors are the leaves of a nested state (dicts, lists,
numbers, text, tensors); the nesting stands as JSON in the file's header. Neither format can
carry code, so a checkpoint from anywhere may be opened.
"""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes

from gancourse.errors import CheckpointError
from gancourse.files import write_atomically

FORMAT = "gancourse-1"


def flatten(state):
    """Split a nested state into JSON-able nesting and a flat dict of tensors.

    Parameters
    ----------
    state : dict, list, tuple, tensor, number, str, bool or None
        Anything that these make up; dict keys are text or whole numbers.

    Returns
    -------
    tree : JSON-able
        The nesting, with ``{"tensor": i}`` in place of the i-th tensor.
    tensors : dict of str to torch.Tensor
        Copies on the CPU, by number.
    """
    tensors = {}

    def walk(node):
        if isinstance(node, torch.Tensor):
            name = str(len(tensors))
            tensors[name] = node.detach().to("cpu", copy=True).contiguous()
            return {"tensor": name}
        if isinstance(node, dict):
            return {"dict": [[key, walk(value)] for key, value in node.items()]}
        if isinstance(node, list | tuple):
            return [walk(value) for value in node]
        if node is None or isinstance(node, bool | int | float | str):
            return node
        raise TypeError(f"a checkpoint cannot hold a {type(node).__name__}: {node!r}")

    return walk(state), tensors


def restore(tree, tensors):
    """Put together again what :func:`flatten` took apart."""
    if isinstance(tree, list):
        return [restore(value, tensors) for value in tree]
    if isinstance(tree, dict) and "tensor" in tree:
        return tensors[tree["tensor"]]
    if isinstance(tree, dict):
        return {key: restore(value, tensors) for key, value in tree["dict"]}
    return tree


def save(path, state, **header):
    """Write a nested ``state`` and a few words of ``header`` to ``path``, atomically."""
    tree, tensors = flatten(state)
    meta = {"format": FORMAT, "tree": json.dumps(tree)}
    meta |= {name: json.dumps(value) for name, value in header.items()}
    write_atomically(path, to_bytes(tensors, metadata=meta))


def load(path):
    """Read what :func:`save` wrote.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    state : the nested state, its tensors on the CPU
    header : dict

    Raises
    ------
    CheckpointError
        If there is no such file, or it is damaged, or not one of ours.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            meta = file.metadata() or {}
            if meta.get("format") != FORMAT:
                raise CheckpointError(
                    f"{path} is a safetensors file, but not one that this course wrote "
                    f"(format {meta.get('format')!r}, expected {FORMAT!r})."
                )
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}
        header = {k: json.loads(v) for k, v in meta.items() if k not in ("format", "tree")}
        return restore(json.loads(meta["tree"]), tensors), header
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path} is damaged or not a checkpoint ({error}). Delete it, or go back to a copy."
        ) from error


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
