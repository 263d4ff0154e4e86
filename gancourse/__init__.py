"""gancourse: generative adversarial networks, one paper a lesson.

``gancourse.gans`` holds one file a paper, ``gancourse.training`` the only training loop,
``gancourse.data`` and ``gancourse.metrics`` what goes in and what is measured, and
``gancourse.lesson`` what a notebook calls.
"""

__version__ = "0.1.0"


def __getattr__(name):
    # PyTorch is imported when a generator is asked for, not for ``gancourse --help``.
    if name == "pretrained":
        from gancourse.trained import pretrained

        return pretrained
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
