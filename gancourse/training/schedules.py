"""Learning-rate schedules that take a step whenever their optimizer does."""

from torch.optim.lr_scheduler import LambdaLR, LRScheduler


def following(schedule):
    """Let a schedule take a step after each step of its own optimizer, and return it.

    A player that is updated in every fifth step, or in one stage only, so has a schedule that
    counts its own updates.
    """
    schedule.optimizer.register_step_post_hook(lambda *_: schedule.step())
    return schedule


def linear_decay(optimizer, steps, constant):
    """Hold the learning rate, then let it fall to 0 in a straight line.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    steps : int
        Updates until it is 0.
    constant : float
        Share of them before it begins to fall, 0 to 1.

    Returns
    -------
    LRScheduler
        Follows the optimizer by itself.
    """
    falling = max(1, steps * (1 - constant))  # updates
    share = lambda step: max(0.0, min(1.0, (steps - step) / falling))  # noqa: E731 - one expression
    return following(LambdaLR(optimizer, share))


class Anneal(LRScheduler):
    """The schedule of Goodfellow et al. 2014: step sizes decay a little, momentum rises.

    Parameters
    ----------
    optimizer : torch.optim.SGD
    decay : float
        Divides the step size after each update.
    least : float
        Where the decay of the step size ends.
    momentum : tuple of float
        At the first update, and from ``momentum_steps`` on.
    momentum_steps : int
        Updates over which the momentum rises in a straight line.
    """

    def __init__(self, optimizer, *, decay, least, momentum, momentum_steps):
        self.decay, self.least = decay, least
        self.momentum, self.momentum_steps = momentum, momentum_steps
        super().__init__(optimizer)

    def get_lr(self):
        """Return the step sizes, and set the momentum beside them."""
        first, last = self.momentum
        risen = min(1.0, self.last_epoch / self.momentum_steps)
        for group in self.optimizer.param_groups:
            group["momentum"] = first + risen * (last - first)
        return [max(lr / self.decay**self.last_epoch, self.least) for lr in self.base_lrs]
