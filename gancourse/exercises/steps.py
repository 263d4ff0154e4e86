"""What the checkers of a training step share: take a step, and compare what it did to the weights.

A right step may draw other noise than ours, or call the networks in another order. The expected
gradients are therefore computed from what its own G was given.
"""

import inspect
from typing import NamedTuple

import torch

RATE = 0.5  # step size of the plain gradient descent that takes the place of the optimizers


class Update(NamedTuple):
    """A step of an optimizer.

    Attributes
    ----------
    player : str
        "D" or "G".
    before : dict of str to dict
        The ``state_dict`` of each network before it.
    change : Tensor
        What it subtracted from the player's weights, divided by the step size: their gradient.
    """

    player: str
    before: dict
    change: torch.Tensor


class Step(NamedTuple):
    """What a training step did.

    Attributes
    ----------
    losses : dict
        What it returned.
    start : dict of str to dict
        The ``state_dict`` of each network at its beginning.
    updates : list of Update
    given : list of tuple
        The inputs of each call of ``netG``, in the order of the parameters of ``forward``.
    gan : GAN
    """

    losses: dict
    start: dict
    updates: list
    given: list
    gan: object


def networks(gan):
    """Return a GAN's networks by name."""
    return {name: net for name, net in vars(gan).items() if name.startswith("net")}


def players(gan):
    """Return the names of the networks that each player's optimizer updates."""
    return {p: [n for n in networks(gan) if n.startswith(f"net{p}")] for p in ("D", "G")}


def weights(gan, player):
    """Return the weights of a player's networks."""
    return [w for name in players(gan)[player] for w in getattr(gan, name).parameters()]


def take(step, gan, batches, run):
    """Take a step for each batch, by plain gradient descent, and return what each did.

    Parameters
    ----------
    step : callable
        ``step(gan, batch, run)``, as in :func:`gancourse.training.train`.
    gan : GAN
        Its optimizers are replaced.
    batches : list of dict
    run : Run

    Returns
    -------
    list of Step

    Raises
    ------
    NotImplementedError
        If the step does nothing: then it is still the stub.
    """
    for player in "DG":
        optimizer = torch.optim.SGD(weights(gan, player), lr=RATE)
        setattr(gan, f"opt_{player.lower()}", optimizer)
    return [_watch(step, gan, dict(batch), run) for batch in batches]


def _watch(step, gan, batch, run):
    start, updates, given, before = _states(gan), [], [], {}
    netG = getattr(gan, players(gan)["G"][0])
    parameters = inspect.signature(netG.forward)

    def called(module, inputs, options):
        values = parameters.bind(*inputs, **options).arguments.values()
        given.append(tuple(x.detach().clone() if torch.is_tensor(x) else x for x in values))

    def begins(optimizer, *_):
        before[optimizer] = _states(gan), _vector(optimizer)

    def ends(optimizer, *_):
        states, old = before[optimizer]
        player = "D" if optimizer is gan.opt_d else "G"
        updates.append(Update(player, states, (old - _vector(optimizer)) / RATE))

    hooks = [netG.register_forward_pre_hook(called, with_kwargs=True)]
    for optimizer in (gan.opt_d, gan.opt_g):
        hooks.append(optimizer.register_step_pre_hook(begins))
        hooks.append(optimizer.register_step_post_hook(ends))
    try:
        losses = step(gan, batch, run)
    finally:
        for hook in hooks:
            hook.remove()
    if losses is None and not given:
        raise NotImplementedError
    return Step(losses, start, updates, given, gan)


def _vector(optimizer):
    return torch.cat([w.detach().flatten() for w in optimizer.param_groups[0]["params"]])


def _states(gan):
    return {
        name: {key: value.clone() for key, value in net.state_dict().items()}
        for name, net in networks(gan).items()
    }


def expect_update(step, player, twin, loss, mistakes=None):
    """Assert that a step updated a player once, by the gradient of a loss.

    Parameters
    ----------
    step : Step
    player : str
        "D" or "G".
    twin : GAN
        Built from the same configuration, for computing the gradient; it is changed.
    loss : callable
        ``loss(gan, *given)`` returns the right loss of the player, where ``given`` are inputs
        of a call of ``netG``.
    mistakes : dict of str to callable, optional
        What to say of losses that are known mistakes.
    """
    updates = [update for update in step.updates if update.player == player]
    assert len(updates) == 1, f"{player} was updated {len(updates)} times"
    assert isinstance(step.losses, dict), "it returns no dict of losses, which the loop logs"
    frozen = [w for p in "DG" for w in weights(step.gan, p) if not w.requires_grad]
    assert not frozen, "weights are still frozen after the step"
    (update,) = updates
    if _is_gradient_of(loss, update, step, twin):
        return
    for text, mistake in (mistakes or {}).items():
        assert not _is_gradient_of(mistake, update, step, twin), text
    assert update.change.abs().max() > 0, f"the weights of {player} do not change"
    raise AssertionError(f"the gradient of {player} is that of another loss")


def _is_gradient_of(loss, update, step, twin):
    """Return whether an update is the loss's gradient, for any of the fakes of the step.

    The other player may have been updated before it or not.
    """
    for states in (update.before, step.start | _own(update, twin)):
        for given in step.given:
            for name, state in states.items():
                getattr(twin, name).load_state_dict(state)
            mine = weights(twin, update.player)
            gradients = torch.autograd.grad(loss(twin, *given), mine, allow_unused=True)
            expected = _joined(mine, gradients)
            if (update.change - expected).norm() <= 2e-3 * expected.norm() + 1e-6:
                return True
    return False


def _own(update, twin):
    return {name: update.before[name] for name in players(twin)[update.player]}


def expect_nothing_left(step, player, hint):
    """Assert that after the last step a player's weights hold no gradient of another's update."""
    (update,) = [update for update in step.updates if update.player == player]
    mine = weights(step.gan, player)
    left = _joined(mine, [w.grad for w in mine])
    own = torch.allclose(left, update.change, rtol=1e-2, atol=1e-5)
    assert own or left.abs().max() == 0, f"another update left gradients there: {hint}"


def _joined(weights, gradients):
    """Return the gradients of weights as one vector; one that is None is 0."""
    pairs = zip(weights, gradients, strict=True)
    return torch.cat([(torch.zeros_like(w) if g is None else g).flatten() for w, g in pairs])
