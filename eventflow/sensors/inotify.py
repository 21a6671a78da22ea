"""Whether the kernel has a watch left for this user: the library that watches folders says nothing where it gets none."""

from __future__ import annotations

import ctypes
import errno
import os

_IN_DELETE_SELF = 0x400


def check_room(folder: str) -> None:
    """Raise `OSError` where not one more folder could be watched. Says nothing on systems without inotify."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        begin, add = libc.inotify_init1, libc.inotify_add_watch
    except AttributeError:
        return
    descriptor = begin(os.O_CLOEXEC)
    if descriptor < 0:
        return  # no more of these: then the library, which has one, would have failed first
    try:
        if add(descriptor, os.fsencode(folder), _IN_DELETE_SELF) < 0 and ctypes.get_errno() == errno.ENOSPC:
            raise OSError(errno.ENOSPC, "no inotify watches are left for this user: raise fs.inotify.max_user_watches", folder)
    finally:
        os.close(descriptor)
