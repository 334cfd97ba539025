"""Where files lie that can be made again, also on a machine where the usual place cannot be had."""

from __future__ import annotations

import errno
import functools
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from intdim.seals.ownership import why_unsafe

VARIABLE = "INTDIM_CACHE"
CANNOT = {  # what a cache answers that cannot be written, or is none
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.ENOENT, errno.ELOOP,
    errno.EEXIST, errno.ENAMETOOLONG, errno.EIO, errno.ESTALE,
}  # fmt: skip

T = TypeVar("T")
logger = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Return the folder for files that can be made again: ``$INTDIM_CACHE``, or ``~/.cache/intdim``; without a home, a
    temporary one."""
    chosen = os.environ.get(VARIABLE, "")
    try:
        return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "intdim"
    except RuntimeError:  # neither HOME nor an entry for the user
        return spare_cache()


def in_cache(make: Callable[[Path], T]) -> T:
    """Make something in the cache; where that cannot be written, say so and make it in a temporary folder.

    Args:
        make: called with the folder.

    Raises:
        OSError: neither can be written.
    """
    cache = cache_folder()
    try:
        return make(cache)
    except OSError as error:
        if error.errno not in CANNOT or not _is_of(cache, error.filename) or cache == spare_cache():
            raise
        said = error.strerror
    logger.warning("the cache %s cannot be written (%s): what is prepared goes to %s", cache, said, spare_cache())
    return make(spare_cache())


def _is_of(cache: Path, place: object) -> bool:
    """Tell whether the path that an error names, if any, is in the cache or leads to it."""
    if not isinstance(place, str | bytes | os.PathLike):
        return True
    path = Path(os.fsdecode(place))
    return path.is_relative_to(cache) or cache.is_relative_to(path)


@functools.cache
def spare_cache() -> Path:
    """Return a temporary folder of the user's, the same for every process unless somebody else took its name.

    Raises:
        OSError: there is no folder for temporary files.
    """
    place = Path(tempfile.gettempdir()) / f"intdim-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        if not why_unsafe(place):
            return place
    except OSError:
        pass
    made = Path(tempfile.mkdtemp(prefix="intdim-"))
    os.environ.setdefault(VARIABLE, str(made))  # for the processes that this one starts
    return made
