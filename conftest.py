"""What holds for every test: the smallest preset, and a cache of its own.

Kernels that run notebooks inherit both through the environment.
"""

import tempfile

import pytest


def pytest_configure(config):
    """Set the environment before anything of the course is imported."""
    cache = tempfile.TemporaryDirectory(prefix="gancourse-test-", ignore_cleanup_errors=True)
    config.add_cleanup(cache.cleanup)
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    patch.setenv("GANCOURSE_PRESET", "smoke")
    patch.setenv("GANCOURSE_CACHE", cache.name)
    # Small networks: a second thread gains nothing, and on a busy machine costs ten times.
    patch.setenv("OMP_NUM_THREADS", "1")
    patch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # a kernel's debugger, on stderr
