"""Weights from a file, put into a network only if they are those of this network.

A network is built on the "meta" device first: its tensors have shapes and no numbers. So a
configuration that asks for far more memory than its file has numbers is refused before anything is
allocated. Loading draws no random numbers.
"""

import warnings
from contextlib import contextmanager

import torch
from torch.nn.utils import parametrizations

from gancourse.errors import CheckpointError, CourseError, printable

META = torch.device("meta")


@contextmanager
def shapes_only():
    """Make the networks of the ``with`` block on the meta device.

    Spectral normalisation, as PyTorch starts it, iterates fifteen times in every layer. Over no
    numbers it does not: that took longer than all the rest of loading a generator.
    """
    norm = parametrizations._SpectralNorm
    iterate = norm._power_method

    def with_numbers(self, weight, iterations):
        if not weight.is_meta:  # a network that another thread trains
            iterate(self, weight, iterations)

    norm._power_method = with_numbers
    try:
        with META:
            yield
    finally:
        norm._power_method = iterate


def fill(net, state, where):
    """Give a network on the meta device the weights of a file, in single precision.

    Parameters
    ----------
    net : torch.nn.Module
    state : dict of str to Tensor
        As ``net.state_dict()`` returned it; fractions may have another precision.
    where : str
        What the weights are, for messages: "netG of run/generator.safetensors".

    Raises
    ------
    CheckpointError
        If a tensor is missing or not expected, or has another shape or kind of numbers than the
        network's, or a weight is not finite.
    """
    compare(net, state, where)
    with computing(f"the weights of {where} cannot be used"):
        ready = {
            name: state[name].to(torch.float32 if own.is_floating_point() else own.dtype)
            for name, own in net.state_dict().items()
        }
    for name, tensor in ready.items():
        if not tensor.isfinite().all():
            raise CheckpointError(
                f"{where} holds NaN or infinite numbers in {name}: the file is damaged, or its "
                "training diverged. Train again."
            )
    net.load_state_dict(ready, assign=True)


def compare(net, state, where):
    """Raise CheckpointError if a file's tensors are not those of a network; see :func:`fill`."""
    own = net.state_dict()
    if not isinstance(state, dict) or not all(isinstance(t, torch.Tensor) for t in state.values()):
        raise CheckpointError(f"{where} is no dict of tensors, as a network's weights are.")
    for names, fault in ((own.keys() - state.keys(), "lacks"), (state.keys() - own.keys(), "has")):
        if names:
            listed = printable(", ".join(sorted(map(str, names))), 80)
            raise CheckpointError(
                f"{where} does not fit its configuration: it {fault} {listed}. Train again."
            )
    for name, tensor in state.items():
        expected, dtype = own[name], str(tensor.dtype).removeprefix("torch.")
        kinds = [(t.is_floating_point(), t.is_complex()) for t in (tensor, expected)]
        if tensor.shape != expected.shape or kinds[0] != kinds[1] or tensor.dtype == torch.bool:
            kind = "fractions" if expected.is_floating_point() else "whole numbers"
            raise CheckpointError(
                f"{where} does not fit its configuration: {name} is {_shape(tensor)} of {dtype}, "
                f"expected {_shape(expected)} of {kind}. Train again."
            )


@contextmanager
def computing(complaint):
    """Turn what a GAN's file or PyTorch says of impossible sizes into a CheckpointError.

    The sizes are a file's, so that they and not the course are at fault.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of layers without weights
            yield
    except CourseError as problem:
        raise CheckpointError(f"{complaint}: {problem}") from problem
    except (RuntimeError, ValueError, TypeError, ArithmeticError, LookupError) as problem:
        first = printable(str(problem).partition("\n")[0], 120)
        raise CheckpointError(f"{complaint}: {first.rstrip('.')}.") from problem


def _shape(tensor):
    return printable(tuple(tensor.shape), 60)
