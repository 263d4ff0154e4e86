"""Files that hold a state, and that are read without running code.

A state is kept as a safetensors file. Its tensors are the leaves of a nested state (dicts, lists,
numbers, text, tensors); the file's header holds the nesting as JSON. Neither format can carry
code, so that it is safe to open a file of unknown origin.
"""

import json
import os
import stat

import torch
from safetensors import SafetensorError
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes

from gancourse.errors import CheckpointError, CourseError, printable
from gancourse.files import paths, schema
from gancourse.files.writing import write_atomically

FORMAT = "gancourse-1"
LARGEST_HEADER = 32 << 20  # bytes; a header has some 200 for each tensor
# What the readers of odd files raise; RuntimeError: nested too deep.
UNREADABLE = (SafetensorError, AssertionError, LookupError, OverflowError, RuntimeError, TypeError)
UNREADABLE += (MemoryError, ValueError)
# What a safetensors file calls the kinds of numbers that a network has.
DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
DTYPES |= {"I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8}
DTYPES |= {"U8": torch.uint8, "BOOL": torch.bool}


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
    """Return the nested state that :func:`flatten` split.

    Raises
    ------
    ValueError
        If the tree is none that :func:`flatten` returns, or does not use each tensor once.
    """
    rest = dict(tensors)

    def walk(node):
        match node:
            case list():
                return [walk(value) for value in node]
            case {"tensor": str(name)} if len(node) == 1 and name in rest:
                return rest.pop(name)
            case {"tuple": list(values)} if len(node) == 1:
                return tuple(map(walk, values))
            case {"dict": list(pairs)} if len(node) == 1:
                found = {key: walk(value) for key, value in pairs if type(key) in (str, int)}
                if len(found) == len(pairs):
                    return found
            case None | bool() | int() | float() | str():
                return node
        raise ValueError(f"its state has an odd part: {printable(node, limit=60)}")

    state = walk(tree)
    if rest:
        raise ValueError(f"its state does not use the tensors {printable([*rest], limit=60)}")
    return state


def save(path, state, **header):
    """Write a nested state and a header to a file, atomically.

    Equal states and headers give equal bytes.

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
    data = to_bytes(tensors, metadata=meta)
    # safetensors 0.8 writes the metadata in an order that differs between processes.
    start = 8 + int.from_bytes(data[:8], "little")
    entries = json.loads(data[8:start]) | {"__metadata__": meta}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the tensors are aligned
    if len(text) > LARGEST_HEADER:
        raise CourseError(
            f"cannot write {printable(path)}: all that is no tensor takes {len(text) >> 20} MB of "
            f"text, and {LARGEST_HEADER >> 20} MB is the limit. Record less, or less often."
        )
    write_atomically(path, len(text).to_bytes(8, "little"), text, memoryview(data)[start:])


def load(path, check=None):
    """Read a file that :func:`save` wrote.

    The file is read at once, since a file that is mapped into memory ends the process if it
    becomes shorter meanwhile.

    Parameters
    ----------
    path : str or Path
    check : callable, optional
        ``check(state, header)`` is called before any number is read: the tensors of this state are
        on the "meta" device. What it raises ends the reading.

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
    shown = printable(path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would wait for a writer
            raise CheckpointError(f"{shown} is a folder or a device, not a file.")
        with open(path, "rb") as file:
            start = file.read(8)
            size = int.from_bytes(start, "little")
            if size > LARGEST_HEADER:
                raise ValueError(f"its header would have {size:,} bytes")
            text = file.read(size)
            entries = schema.read(dict[str, dict[str, object]], text, "its header", ValueError)
            meta = entries.pop("__metadata__", {})
            if meta.get("format") != FORMAT:
                raise CheckpointError(
                    f"{shown} is a safetensors file of another program: its format is "
                    f"{printable(repr(meta.get('format')))}, expected {FORMAT!r}."
                )
            length = max((tensor["data_offsets"][1] for tensor in entries.values()), default=0)
            there = os.fstat(file.fileno()).st_size - file.tell()
            if length != there:
                raise ValueError(f"it has {there:,} bytes of numbers, its header says {length:,}")
            header = {name: json.loads(value) for name, value in meta.items() if name != "format"}
            tree = header.pop("tree")
            if check:
                empty = {name: _without_numbers(entry) for name, entry in entries.items()}
                if sum(tensor.nbytes for tensor in empty.values()) != length:
                    raise ValueError(f"its tensors have not {length:,} bytes")
                check(restore(tree, empty), header)
            file.seek(0)
            tensors = from_bytes(file.read(8 + size + length))
        for name in tensors:
            tensors[name] = tensors[name].clone()  # aligned, as kernels with equal results need
        return restore(tree, tensors), header
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no file {shown}.") from error
    except OSError as error:
        raise CheckpointError(f"cannot read {shown}: {paths.reason(error)}.") from error
    except UNREADABLE as error:
        raise CheckpointError(
            f"{shown} is damaged or not a checkpoint ({printable(error)}). Take another file, or "
            "go back to a copy."
        ) from error


def _without_numbers(entry):
    """Return what an entry of the header describes, a tensor on the meta device."""
    return torch.empty(entry["shape"], dtype=DTYPES[entry["dtype"]], device="meta")
