"""Training in stages: several step functions in one."""


def in_stages(*stages):
    """Return a step function that calls the step function of the current stage.

    The stage depends on ``gan.step`` alone, which every checkpoint holds: a resumed run goes on in
    the stage that it was stopped in.

    Parameters
    ----------
    *stages : tuple (callable, int)
        A step function, ``step(gan, batch, run)``, and the number of steps of the stage. The last
        stage goes on until the loop ends.

    Returns
    -------
    callable
        ``train_step(gan, batch, run)``
    """
    if len(stages) == 1:
        return stages[0][0]

    def train_step(gan, batch, run):
        begin = 0
        for step, count in stages[:-1]:
            begin += count
            if gan.step < begin:
                return step(gan, batch, run)
        return stages[-1][0](gan, batch, run)

    return train_step
