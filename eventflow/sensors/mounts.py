"""On which file systems an inode's number says which file it is."""

from __future__ import annotations

import os
import re
from pathlib import Path

_NETWORK = {"9p", "afs", "ceph", "cifs", "coda", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs"}
_SHARED_BY_A_HOST = {"drvfs", "vboxsf", "virtiofs", "vmhgfs"}
_WITHOUT_INODES = {"exfat", "fuse", "fuseblk", "msdos", "vfat"}
_MADE_UP = frozenset(_NETWORK | _SHARED_BY_A_HOST | _WITHOUT_INODES)
"""File systems whose inode numbers are, or may be, made up anew at each mount, and whose stamps may be another machine's clock."""

_TABLE = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(rb"\\([0-7]{3})")


class Mounts:
    """The mounts of this machine, from the text of `/proc/self/mountinfo`."""

    def __init__(self, table: bytes) -> None:
        self._kinds = dict(filter(None, map(_mount, table.splitlines())))

    @classmethod
    def read(cls) -> Mounts:
        """Give the mounts as they are now. Where the kernel has no such table there are none."""
        try:
            return cls(_TABLE.read_bytes())
        except OSError:
            return cls(b"")

    def own_inodes(self, folder: str) -> bool:
        """Tell whether files in this folder keep their inode's number over remounts, and are stamped by this machine's clock."""
        place = Path(folder).resolve()
        kind = next((self._kinds[above] for above in (place, *place.parents) if above in self._kinds), "")
        return kind not in _MADE_UP and not kind.startswith("fuse.")


def _mount(line: bytes) -> tuple[Path, str] | None:
    """Give a mount's place and kind: the fifth field, and the first one behind the dash."""
    fields = line.split(b" ")
    if len(fields) < 10 or b"-" not in fields:
        return None
    place = _ESCAPE.sub(lambda octal: bytes([int(octal[1], 8)]), fields[4])
    return Path(os.fsdecode(place)), fields[fields.index(b"-", 6) + 1].decode("ascii", "replace")
