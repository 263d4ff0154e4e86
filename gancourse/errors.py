"""The errors that a user can mend: each says what was wrong, what was expected and what to do."""


class CourseError(Exception):
    """A problem that the user can mend, by its message alone.

    The command line prints the message without a traceback; a notebook shows it as the last line
    of the traceback. An exception of another class is a defect of the course.
    """


class DataError(CourseError):
    """A data set, or a file or folder of pictures, that cannot be used."""


class CheckpointError(CourseError):
    """A checkpoint that cannot be written or read, or that belongs to another run."""


class TrainingDiverged(CourseError):
    """A loss that is NaN or infinite.

    Attributes
    ----------
    term : str
        The log tag of the first such loss, such as ``"D/adv_real"``.
    step : int
        The step at which it occurred, counted from 1.
    """

    def __init__(self, message, *, term, step):
        super().__init__(message)
        self.term = term
        self.step = step


def choose(kind, value, known):
    """Return a name that a user gave if it is a known one, else raise an error that lists these.

    Parameters
    ----------
    kind : str
        What is named, for the message: "preset", "data set", ...
    value : str
        The name that the user gave.
    known : iterable of str
        The known names.

    Returns
    -------
    str
        ``value``.

    Raises
    ------
    CourseError
        If ``value`` is not known. The message lists the known names and suggests the most similar
        one.
    """
    import difflib

    known = list(known)
    if value in known:
        return value
    near = difflib.get_close_matches(str(value), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise CourseError(f"unknown {kind} {value!r}; there are: {', '.join(known)}.{hint}")


def printable(text, limit=200):
    r"""Return text from a file in a form that is safe to print: on one line, no control codes.

    Parameters
    ----------
    text : object
        Is converted by ``str``.
    limit : int
        At most so many characters are returned; what is longer ends in "...".

    Returns
    -------
    str
        Line breaks, terminal codes, marks that turn the direction of writing, and surrogates are
        escaped as in Python's source: ``"\x1b[31m"``.
    """
    text = str(text)
    short = text[: limit + 1]  # escaping lengthens a text, so that the rest would be cut anyway
    shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in short)
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def check_whole(name, value, least, most=None):
    """Raise a CourseError unless a value is a whole number, and not below or above the bounds.

    Parameters
    ----------
    name : str
        What the value is, for the message: "steps", "batch_size", ...
    value : object
    least : int
    most : int, optional
        There is no upper bound if it is left out.
    """
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        found = printable(repr(value), 60)
        raise CourseError(f"{name} must be a whole number {bounds}, not {found}.")


def check_seed(seed):
    """Raise a CourseError unless every random source takes a seed: from 0 to 2**63 - 1."""
    check_whole("seed", seed, 0, 2**63 - 1)
