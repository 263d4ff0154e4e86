"""Files that are written whole or not at all, and read without running code.

A state is kept as a safetensors file. Its tensors are the leaves of a nested state (dicts, lists,
numbers, text, tensors); the file's header holds the nesting as JSON. Neither format can carry
code, so that it is safe to open a file of unknown origin.
"""

import errno
import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes

from gancourse.errors import CheckpointError, CourseError

FORMAT = "gancourse-1"


def write_atomically(path, data):
    """Write ``data`` so that ``path`` holds either its old content or all of the new.

    Parameters
    ----------
    path : str or Path
    data : bytes

    Raises
    ------
    CourseError
        If the disk is full or the folder is not writable. The old file is kept.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        size = f"{len(data) / 2**20:.1f} MB"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            why = "the disk is full. Free some space and run it again"
        else:
            why = f"{error.strerror or error}. Choose another folder"
        raise CourseError(f"cannot write {path} ({size}): {why}.") from error
    if hasattr(os, "O_DIRECTORY"):  # without this, a power cut could undo the renaming
        folder = os.open(path.parent, os.O_DIRECTORY)
        try:
            os.fsync(folder)
        except OSError:
            pass  # some file systems cannot sync a folder; the file itself is on the disk
        finally:
            os.close(folder)


def flatten(state):
    """Split a nested state into its nesting and a flat dict of tensors.

    Parameters
    ----------
    state : dict, list, tuple, torch.Tensor, number, str, bool or None
        Nested to any depth. The keys of a dict are text or integers.

    Returns
    -------
    tree : JSON-able
        The nesting, with ``{"tensor": i}`` in place of the i-th tensor.
    tensors : dict of str to torch.Tensor
        Copies on the CPU; the keys are the numbers i.

    Raises
    ------
    TypeError
        If the state holds an object of another type.
    """
    tensors = {}

    def walk(node):
        if isinstance(node, torch.Tensor):
            name = str(len(tensors))
            tensors[name] = node.detach().to("cpu", copy=True).contiguous()
            return {"tensor": name}
        if isinstance(node, dict):
            for key in node:
                if type(key) not in (str, int):
                    raise TypeError(f"a checkpoint cannot hold the key {key!r} of a dict")
            return {"dict": [[key, walk(value)] for key, value in node.items()]}
        if isinstance(node, tuple):
            return {"tuple": [walk(value) for value in node]}
        if isinstance(node, list):
            return [walk(value) for value in node]
        if node is None or isinstance(node, bool | int | float | str):
            return node
        raise TypeError(f"a checkpoint cannot hold a {type(node).__name__}: {node!r}")

    return walk(state), tensors


def restore(tree, tensors):
    """Return the nested state that :func:`flatten` split."""
    if isinstance(tree, list):
        return [restore(value, tensors) for value in tree]
    if isinstance(tree, dict) and "tensor" in tree:
        return tensors[tree["tensor"]]
    if isinstance(tree, dict) and "tuple" in tree:
        return tuple(restore(value, tensors) for value in tree["tuple"])
    if isinstance(tree, dict):
        return {key: restore(value, tensors) for key, value in tree["dict"]}
    return tree


def save(path, state, **header):
    """Write a nested state and a header to a file, atomically.

    Parameters
    ----------
    path : str or Path
    state
        See :func:`flatten`.
    **header : JSON-able
        Entries of the header, which can be read without the tensors.

    Raises
    ------
    CourseError
        If the file cannot be written.
    TypeError
        If the state holds an object of a type that the file cannot hold.
    """
    tree, tensors = flatten(state)
    meta = {"format": FORMAT, "tree": json.dumps(tree)}
    meta |= {name: json.dumps(value) for name, value in header.items()}
    write_atomically(path, to_bytes(tensors, metadata=meta))


def load(path):
    """Read a file that :func:`save` wrote.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    state
        The nested state, its tensors on the CPU.
    header : dict

    Raises
    ------
    CheckpointError
        If there is no such file, it is damaged, or :func:`save` did not write it.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            meta = file.metadata() or {}
            if meta.get("format") != FORMAT:
                raise CheckpointError(
                    f"{path} is a safetensors file of another program: its format is "
                    f"{meta.get('format')!r}, expected {FORMAT!r}."
                )
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}
        header = {k: json.loads(v) for k, v in meta.items() if k not in ("format", "tree")}
        return restore(json.loads(meta["tree"]), tensors), header
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path} is damaged or not a checkpoint ({error}). Delete it, or go back to a copy."
        ) from error
