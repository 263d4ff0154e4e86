"""What holds for every test: the smallest preset, a cache of its own, its seed, and where it runs.

Kernels that run notebooks inherit preset and cache through the environment.
"""

import random
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


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Seed what draws random numbers, so that a test has the same ones alone and among others."""
    import torch  # after the environment is set

    random.seed(0)
    torch.manual_seed(0)


def pytest_collection_modifyitems(config, items):
    """Begin with the slow tests on several workers, so that none works alone at the end."""
    if hasattr(config, "workerinput"):
        items.sort(
            key=lambda item: (not item.get_closest_marker("browser"), item.path.suffix != ".ipynb")
        )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give a worker whole files, since their tests share fixtures and a notebook's cells a kernel.

    The files of tests/browser go to one worker, which starts one JupyterLab and one browser.
    """
    from xdist.scheduler import LoadFileScheduling

    class LoadWholeFiles(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return "tests/browser" if file.startswith("tests/browser/") else file

    config.option.loadscopereorder = False  # the order above is better than that by size
    return LoadWholeFiles(config, log)
