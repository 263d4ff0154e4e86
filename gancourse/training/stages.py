"""Training in stages: several step functions in one."""


class Stages:
    """A step function that calls the step function of the current stage; see :func:`in_stages`.

    Attributes
    ----------
    steps : int
        Of all stages together.
    """

    def __init__(self, stages):
        self.stages = stages
        self.steps = sum(count for _, count in stages)

    def __call__(self, gan, batch, run):
        """Take a step of the stage that ``gan.step`` lies in; the last stage has no end."""
        begin = 0
        for step, count in self.stages[:-1]:
            begin += count
            if gan.step < begin:
                return step(gan, batch, run)
        return self.stages[-1][0](gan, batch, run)


def in_stages(*stages):
    """Return a step function that calls the step function of the current stage.

    The stage depends on ``gan.step`` alone, which every checkpoint holds: a resumed run goes on in
    the stage that it was stopped in.

    Parameters
    ----------
    *stages : tuple (callable, int)
        A step function, ``step(gan, batch, run)``, and the number of steps of the stage.

    Returns
    -------
    Stages
        Or the step function itself, if there is only one.
    """
    return stages[0][0] if len(stages) == 1 else Stages(stages)
