"""gancourse: generative adversarial networks, one paper a lesson.

``gancourse.gans`` holds one file a paper, ``gancourse.training`` the only training loop,
``gancourse.data`` and ``gancourse.metrics`` what goes in and what is measured, and
``gancourse.lesson`` what a notebook calls.
"""

__version__ = "0.1.0"
