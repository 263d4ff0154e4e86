"""Comparisons of an answer with the right one: of numbers, of tensors, of functions."""

import torch

from gancourse.exercises import reading


def expect(got, expected, *, atol=1e-5):
    """Assert that two numbers or tensors agree to within ``atol``, or that other values are equal.

    Numbers may have any form that :func:`gancourse.exercises.reading.tensor` reads. The message
    shows both, so don't use it where ``expected`` is what the reader must find.
    """
    if got is None or got is ...:
        raise NotImplementedError
    if isinstance(expected, torch.Tensor | int | float):
        got, expected = (reading.tensor(x).detach().cpu().double() for x in (got, expected))
        if got.numel() == expected.numel() == 1:
            got, expected = got.flatten(), expected.flatten()
        assert got.shape == expected.shape, (
            f"expected the shape {tuple(expected.shape)}, got {tuple(got.shape)}"
        )
        equal = torch.allclose(got, expected, rtol=1e-5, atol=atol)
        if got.numel() == 1:
            got, expected = got.item(), expected.item()
    else:
        equal = got == expected
    assert equal, f"expected {short(expected)}, got {short(got)}"


def expect_number(got, expected, hint, *, atol=0.01):
    """Assert that an answer is a number, to within ``atol``; the message gives the hint alone."""
    value = reading.number(got)
    assert abs(value - expected) <= atol + 1e-9, f"{value:.4g} is wrong: {hint}"


def expect_same(answer, reference, *inputs, atol=1e-5):
    """Assert that two functions return the same numbers and pass the same gradients back.

    Parameters
    ----------
    answer, reference : callable
        The reader's function and a right one.
    *inputs
        What both are called with, each time in copies. Tensors of floats get gradients.
    atol : float
    """
    got, gradients = _evaluate(answer, inputs)
    expected, right = _evaluate(reference, inputs)
    expect(got, expected, atol=atol)
    for mine, true in zip(gradients, right, strict=True):
        if mine.abs().max() == 0 < true.abs().max():
            raise AssertionError("the value is right, but no gradient comes back from it")
        gap = (mine - true).abs().max().item()
        size = true.abs().max().item()
        assert gap <= atol + 1e-4 * size, (
            f"the value is right, but its gradient is off by up to {gap:.2g}, of {size:.2g}"
        )


def _evaluate(function, inputs):
    """Return a function's output, and the gradient of a random mix of it for each input."""
    leaves = [_copy(x) for x in inputs]
    output = function(*(x.clone() if isinstance(x, torch.Tensor) else x for x in leaves))
    if output is None or output is ...:
        raise NotImplementedError
    output = reading.tensor(output)
    wanted = [x for x in leaves if isinstance(x, torch.Tensor) and x.requires_grad]
    if not output.requires_grad:
        return output, [torch.zeros_like(x) for x in wanted]
    mix = torch.randn(output.shape, generator=torch.Generator().manual_seed(0)).to(output)
    gradients = torch.autograd.grad(output, wanted, mix, allow_unused=True)
    pairs = zip(wanted, gradients, strict=True)
    return output, [torch.zeros_like(x) if g is None else g for x, g in pairs]


def _copy(value):
    if not isinstance(value, torch.Tensor):
        return value
    return value.detach().clone().requires_grad_(value.is_floating_point())


def short(value):
    """Return ``value`` as text: floats with 4 significant digits, large tensors as their range."""
    if isinstance(value, torch.Tensor):
        if value.numel() > 16:
            return (
                f"{len(value.flatten())} numbers from {short(value.min())} to {short(value.max())}"
            )
        value = value.tolist()
    if isinstance(value, list):
        return f"[{', '.join(map(short, value))}]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
