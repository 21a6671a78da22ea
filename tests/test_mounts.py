from __future__ import annotations

from pathlib import Path

import pytest

from eventflow.mounts import Mounts, has_own_inodes, is_far
from eventflow.sensors.files.globs import Globs
from eventflow.sensors.files.scan import Scan

TABLE = rb"""21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 21 0:40 / /mnt/share rw,relatime shared:5 master:2 - nfs4 server:/export rw,vers=4.2
31 21 0:41 / /mnt/with\040space rw,relatime - fuse.sshfs user@host: rw
32 30 0:42 / /mnt/share/local rw,relatime - xfs /dev/sdb rw
33 21 0:43 / /mnt/stick rw,relatime - vfat /dev/sdc rw
34 21 0:44 / /mnt/stick rw,relatime - ext4 /dev/sdd rw
garbage
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", "ext4"),
        ("/mnt", "ext4"),
        ("/mnt/share", "nfs4"),
        ("/mnt/share/deep/er", "nfs4"),
        ("/mnt/sharebutnot", "ext4"),
        ("/mnt/share/local/x", "xfs"),
        ("/mnt/with space", "fuse.sshfs"),
        ("/mnt/stick", "ext4"),
    ],
)
def test_a_folder_is_on_the_nearest_mount_above_it_and_of_two_on_the_later(folder: str, kind: str) -> None:
    assert Mounts(TABLE).kind(folder) == kind


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse", "ceph", "virtiofs"])
def test_what_is_far_keeps_no_inodes_either(kind: str) -> None:
    assert is_far(kind)
    assert not has_own_inodes(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", None])
def test_local_disks_and_unknown_ones_are_trusted(kind: str | None) -> None:
    assert not is_far(kind)
    assert has_own_inodes(kind)


def test_a_stick_is_near_and_makes_its_inodes_up() -> None:
    assert not is_far("vfat")
    assert not has_own_inodes("vfat")


def test_without_a_table_nothing_is_known() -> None:
    assert Mounts(b"").kind("/anywhere") is None


def test_the_machines_own_table_can_be_read(tmp_path: Path) -> None:
    assert Mounts.read().kind(tmp_path)


def test_on_a_network_mount_a_file_has_no_inode_and_no_stamp_of_ours(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    scan = Scan(str(tmp_path), "in", Globs("*"), recursive=False, mounts=Mounts(f"9 1 0:1 / {tmp_path} rw - nfs4 server:/ rw".encode()))
    assert not scan.more()
    [(name, touched)] = scan.found.items()
    assert name.startswith("in/a#-.0.")
    assert touched is None
