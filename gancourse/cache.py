"""Where downloads are kept; this imports little, so that it can be asked on a broken machine."""

import os
from pathlib import Path

from gancourse.errors import DataError

CACHE = "GANCOURSE_CACHE"  # the environment variable that names another cache folder


def cache_folder():
    """Return the folder of the downloads: GANCOURSE_CACHE, or the platform's cache folder.

    Returns
    -------
    pathlib.Path
        Need not exist yet.

    Raises
    ------
    DataError
        If it lies in a home folder that is unknown, as for a user without a name in a container.
    """
    import pooch

    chosen = os.environ.get(CACHE)
    try:
        place = os.path.expanduser(chosen or pooch.os_cache("gancourse"))
    except RuntimeError:  # of platformdirs, which names no place then
        place = "~"
    if str(place).startswith("~"):
        where = f"in {chosen}" if chosen else "in your home folder"
        raise DataError(
            f"downloads would be kept {where}, but that home folder is not known. Set HOME, or set "
            f"{CACHE} to a folder that you may write to."
        )
    return Path(place)
