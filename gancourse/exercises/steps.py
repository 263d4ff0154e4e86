"""What the checkers of a training step share: take steps, record calls, compare weights."""

import inspect
from typing import NamedTuple

import torch


class Call(NamedTuple):
    """One forward pass of a network, as :func:`watch` records it."""

    network: str  # the name in the GAN, such as "netG"
    inputs: tuple  # in the order of the parameters of ``forward``
    output: object


def networks(gan):
    """Return a GAN's networks by name."""
    return {name: net for name, net in vars(gan).items() if name.startswith("net")}


def take(step, gan, batches, run):
    """Call ``step(gan, batch, run)`` for each batch, and return the losses of the last call.

    Raises
    ------
    NotImplementedError
        If the step returns nothing: then it is still the stub.
    """
    for batch in batches:
        losses = step(gan, batch, run)
        if losses is None:
            raise NotImplementedError
    return losses


def watch(gan):
    """Record from now on each call of the GAN's networks.

    Returns
    -------
    list of Call
        Empty at first; it grows with each call. Tensors in it are detached copies.
    """
    calls = []

    def record(name, net):
        parameters = inspect.signature(net.forward)

        def hook(module, inputs, options, output):
            given = parameters.bind(*inputs, **options).arguments.values()
            calls.append(Call(name, tuple(map(_copy, given)), _copy(output)))

        net.register_forward_hook(hook, with_kwargs=True)

    for name, net in networks(gan).items():
        record(name, net)
    return calls


def observe(step, gan, batch, run):
    """Take one step, and return its calls and the names of the networks that it changed.

    Returns
    -------
    calls : list of Call
    changed : set of str
    """
    before = {name: _weights(net) for name, net in networks(gan).items()}
    calls = watch(gan)
    take(step, gan, [batch], run)
    after = {name: _weights(net) for name, net in networks(gan).items()}
    return calls, {name for name in before if not torch.equal(before[name], after[name])}


def expect_same_weights(net, reference):
    """Assert that a network has the weights of the reference, to within 1e-5."""
    expected = reference.state_dict()
    for name, weight in net.state_dict().items():
        gap = float((weight.float() - expected[name].float()).abs().max())
        assert gap < 1e-5, f"{name} differs by up to {gap:.2g}"


def update(gan, loss_d, loss_g):
    """Update G and D from losses that were computed beforehand; return both losses.

    For wrong answers whose mistake lies in the losses.
    """
    for optimizer, loss in ((gan.opt_g, loss_g), (gan.opt_d, loss_d)):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


def _copy(value):
    return value.detach().clone() if isinstance(value, torch.Tensor) else value


def _weights(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()])
