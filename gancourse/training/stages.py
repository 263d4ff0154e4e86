"""Several step functions, one after the other, as the one that the loop calls."""


def in_stages(*stages):
    """Return a step function that changes with the number of steps made.

    What it calls depends on ``gan.step`` alone, which is in every checkpoint: a run that is
    stopped in any stage goes on there.

    Parameters
    ----------
    *stages : tuple (callable, int)
        A step function, ``step(gan, batch, run)``, and how many steps it is called for. The last
        one goes on for as long as the loop does.

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
