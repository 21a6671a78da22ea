from __future__ import annotations

from pathlib import Path

import pytest

from eventflow.sensors.globs import Globs
from eventflow.sensors.mounts import Mounts
from eventflow.sensors.scan import Scan

TABLE = rb"""21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 21 0:40 / /mnt/share rw,relatime shared:5 master:2 - nfs4 server:/export rw,vers=4.2
31 21 0:41 / /mnt/with\040space rw,relatime - fuse.sshfs user@host: rw
32 30 0:42 / /mnt/share/local rw,relatime - xfs /dev/sdb rw
33 21 0:43 / /mnt/stick rw,relatime - vfat /dev/sdc rw
34 21 0:44 / /mnt/stick rw,relatime - ext4 /dev/sdd rw
garbage
"""


@pytest.mark.parametrize(
    ("folder", "own"),
    [
        ("/", True),
        ("/mnt", True),
        ("/mnt/share", False),
        ("/mnt/share/deep/er", False),
        ("/mnt/sharebutnot", True),
        ("/mnt/share/local/x", True),
        ("/mnt/with space", False),
        ("/mnt/stick", True),
    ],
)
def test_inodes_count_where_they_last(folder: str, own: bool) -> None:
    assert Mounts(TABLE).own_inodes(folder) is own


def test_without_a_table_inodes_count() -> None:
    assert Mounts(b"").own_inodes("/anywhere")


def test_the_machines_own_table_can_be_read(tmp_path: Path) -> None:
    assert isinstance(Mounts.read().own_inodes(str(tmp_path)), bool)


def test_on_a_network_mount_a_file_has_no_inode_and_no_stamp_of_ours(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    scan = Scan(str(tmp_path), "in", Globs("*"), recursive=False, mounts=Mounts(f"9 1 0:1 / {tmp_path} rw - nfs4 server:/ rw".encode()))
    assert not scan.more()
    [(name, touched)] = scan.found.items()
    assert name.startswith("in/a#-.0.")
    assert touched is None
