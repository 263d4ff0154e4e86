"""The errors that a person meets: each says what was wrong, what was expected and what to do."""


class CourseError(Exception):
    """A problem that the user can mend; its message is the whole story.

    The command line prints the message alone, a notebook shows it as the last line of the
    traceback. Anything that is not a ``CourseError`` is a defect of the course itself.
    """


class DataError(CourseError):
    """A data set or a file of pictures cannot be used."""


class CheckpointError(CourseError):
    """A checkpoint cannot be written, read, or does not belong to this run."""


class TrainingDiverged(CourseError):
    """A loss became NaN or infinite.

    Attributes
    ----------
    term : str
        The log tag of the first loss that was not finite, such as ``"D/adv_real"``.
    step : int
        The step (counted from 1) at which that happened.
    """

    def __init__(self, message, *, term, step):
        super().__init__(message)
        self.term = term
        self.step = step


def choose(kind, value, known):
    """Return ``value`` if it is one of ``known``, else explain which ones there are.

    Parameters
    ----------
    kind : str
        What the value names, for the message: "preset", "data set", ...
    value : str
        What the user gave.
    known : iterable of str
        The values that exist.

    Raises
    ------
    CourseError
        With the known values listed, and the nearest one suggested.
    """
    import difflib

    known = list(known)
    if value in known:
        return value
    near = difflib.get_close_matches(str(value), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise CourseError(f"unknown {kind} {value!r}; there are: {', '.join(known)}.{hint}")
