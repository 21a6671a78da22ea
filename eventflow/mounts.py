"""What kind of file system a folder is on: whether locks and syncs can be trusted there, and what an inode's number says."""

from __future__ import annotations

import os
import re
from pathlib import Path

TABLE = Path("/proc/self/mountinfo")

_FAR = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|9p|afs|ceph|coda|gfs2|ocfs2|lustre|beegfs|glusterfs|ncpfs|vboxsf|vmhgfs|virtiofs|drvfs|fuse(\..*)?|fuseblk"
)
_WITHOUT_INODES = frozenset({"exfat", "msdos", "vfat"})
_ESCAPE = re.compile(rb"\\([0-7]{3})")


class Mounts:
    """The mounts of this machine, from the text of `/proc/self/mountinfo`."""

    def __init__(self, table: bytes) -> None:
        # A later mount over the same point hides the earlier one.
        self._kinds = dict(filter(None, map(_mount, table.splitlines())))

    @classmethod
    def read(cls, table: Path = TABLE) -> Mounts:
        """Give the mounts as they are now. Where the kernel has no such table there are none."""
        try:
            return cls(table.read_bytes())
        except OSError:
            return cls(b"")

    def kind(self, folder: str | os.PathLike[str]) -> str | None:
        """Give the type of the file system that a folder lies on, such as `ext4`, or None where the system doesn't tell."""
        place = Path(os.path.realpath(folder))
        return next((self._kinds[above] for above in (place, *place.parents) if above in self._kinds), None)


def is_far(kind: str | None) -> bool:
    """Tell whether a file system is another machine's or another program's, whose locks and syncs can't be trusted."""
    return kind is not None and _FAR.fullmatch(kind) is not None


def has_own_inodes(kind: str | None) -> bool:
    """Tell whether a file keeps its inode's number over remounts, and is stamped by this machine's clock."""
    return not is_far(kind) and kind not in _WITHOUT_INODES


def _mount(line: bytes) -> tuple[Path, str] | None:
    """Give a mount's place and kind: the fifth field, and the first one behind the dash."""
    fields = line.split(b" ")
    if len(fields) < 10 or b"-" not in fields:
        return None
    place = _ESCAPE.sub(lambda octal: bytes([int(octal[1], 8)]), fields[4])
    return Path(os.fsdecode(place)), fields[fields.index(b"-", 6) + 1].decode("ascii", "replace")
