"""Learning-rate schedules that take a step whenever their optimizer does."""

from torch.optim.lr_scheduler import LambdaLR, LRScheduler


def following(schedule):
    """Let a schedule take a step after each step of its own optimizer, and return it.

    The schedule then counts the updates of its own player, which may have one in every fifth step,
    or in one stage only.
    """
    schedule.optimizer.register_step_post_hook(lambda *_: schedule.step())
    return schedule


def linear_decay(optimizer, steps, constant):
    """Return a schedule that keeps the learning rate constant and then decays it linearly to 0.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    steps : int
        Number of updates after which the learning rate is 0.
    constant : float
        Share of these updates before the decay, 0 to 1.

    Returns
    -------
    LRScheduler
        It takes a step after each step of the optimizer: see :func:`following`.
    """
    falling = max(1, steps * (1 - constant))  # updates
    share = lambda step: max(0.0, min(1.0, (steps - step) / falling))  # noqa: E731 - one expression
    return following(LambdaLR(optimizer, share))


class Anneal(LRScheduler):
    """The schedule of Goodfellow et al. 2014: step sizes decay, momentum rises.

    The decay is exponential, the rise linear.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        SGD; or another one, without ``momentum``.
    decay : float
        Divides the step size after each update.
    least : float
        The smallest step size.
    momentum : tuple of float, optional
        At the first update, and from ``momentum_steps`` on; by default only the step sizes change.
    momentum_steps : int, optional
        Number of updates over which the momentum rises.

    Attributes
    ----------
    endless : bool
        True: it does not depend on the length of a run, which may be changed later.
    """

    endless = True

    def __init__(self, optimizer, *, decay, least, momentum=None, momentum_steps=1):
        self.decay, self.least = decay, least
        self.momentum, self.momentum_steps = momentum, momentum_steps
        super().__init__(optimizer)

    def get_lr(self):
        """Set the momentum of each parameter group, if it rises; return the step sizes."""
        if self.momentum:
            first, last = self.momentum
            risen = min(1.0, self.last_epoch / self.momentum_steps)
            for group in self.optimizer.param_groups:
                group["momentum"] = first + risen * (last - first)
        return [max(lr / self.decay**self.last_epoch, self.least) for lr in self.base_lrs]
