"""What this machine says about itself at one moment, and what two moments say together.

Reads through psutil and from /proc. Names of mounts, disks and interfaces are chosen by whoever can mount or
plug something, so they are cleaned. Everything here may block for a moment; `disk_usage` may block for ever.
It must never be called from the event loop.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

import psutil

from watchfloor.probes.text import label

DEVICE_LIMIT = 64
"""How many mounts, disks and interfaces are looked at, each."""

REAL_FILE_SYSTEMS = frozenset(
    (
        *(
            "ext2",
            "ext3",
            "ext4",
            "xfs",
            "btrfs",
            "zfs",
            "f2fs",
            "jfs",
            "reiserfs",
            "bcachefs",
            "ufs",
            "apfs",
        ),
        *("hfs", "vfat", "exfat", "ntfs", "ntfs3", "fuseblk"),
        *(
            "nfs",
            "nfs4",
            "cifs",
            "smb3",
            "ceph",
            "glusterfs",
            "fuse.glusterfs",
            "fuse.sshfs",
            "9p",
            "virtiofs",
        ),
    )
)
"""File systems that fill up. Others live in memory, are read-only images or pretend."""
_VIRTUAL = ("lo", "veth", "docker", "br-", "virbr", "cni", "cali", "flannel", "tap")
_NO_DISKS = ("loop", "ram", "zram", "sr", "fd")


@dataclass(frozen=True, slots=True)
class Sample:
    """Counters and levels of one moment; ``at`` is on the monotonic clock."""

    at: float
    cpu: Mapping[str, float]
    memory_used_percent: float
    swap_used_percent: float
    load: tuple[float, float, float]
    cores: int
    processes: int
    booted_at: float
    disks: Mapping[str, tuple[int, int]]
    interfaces: Mapping[str, tuple[int, int]]
    mounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rates:
    """What happened between two samples: shares of the processor in percent, bytes per second (in, out)."""

    cpu_percent: float
    cpu_shares: Mapping[str, float]
    disks: Mapping[str, tuple[float, float]]
    interfaces: Mapping[str, tuple[float, float]]


def take() -> Sample:
    """Sample this machine."""
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return Sample(
        at=monotonic(),
        cpu=_cpu_times(),
        memory_used_percent=float(memory.percent),
        swap_used_percent=float(swap.percent),
        load=os.getloadavg(),
        cores=psutil.cpu_count() or 1,
        processes=len(psutil.pids()),
        booted_at=psutil.boot_time(),
        disks=_disk_bytes(),
        interfaces=_interface_bytes(),
        mounts=_mounts(),
    )


def disk_used_percent(mount: str) -> float:
    """Return how full the file system at ``mount`` is, as ``df`` does. May block for ever; raises `OSError`."""
    return float(psutil.disk_usage(mount).percent)


def between(earlier: Sample, later: Sample) -> Rates:
    """Return the rates from ``earlier`` to ``later``; counters that were reset in between are left out."""
    spent = {kind: max(0.0, later.cpu[kind] - earlier.cpu.get(kind, 0.0)) for kind in later.cpu}
    total = sum(spent.values()) or 1.0
    idle = spent.get("idle", 0.0) + spent.get("iowait", 0.0)
    return Rates(
        cpu_percent=100.0 * (1.0 - idle / total) if sum(spent.values()) else 0.0,
        cpu_shares={kind: 100.0 * value / total for kind, value in spent.items() if kind != "idle"},
        disks=_per_second(earlier.disks, later.disks, later.at - earlier.at),
        interfaces=_per_second(earlier.interfaces, later.interfaces, later.at - earlier.at),
    )


def _cpu_times() -> dict[str, float]:
    times = psutil.cpu_times()._asdict()
    # The kernel counts guest time within user time as well; counted twice it would distort every share.
    return {kind: value for kind, value in times.items() if kind not in ("guest", "guest_nice")}


def _per_second(
    earlier: Mapping[str, tuple[int, int]], later: Mapping[str, tuple[int, int]], seconds: float
) -> dict[str, tuple[float, float]]:
    rates = {}
    for name, (new_in, new_out) in later.items():
        old_in, old_out = earlier.get(name, (new_in + 1, new_out + 1))
        if seconds > 0 and new_in >= old_in and new_out >= old_out:
            rates[name] = ((new_in - old_in) / seconds, (new_out - old_out) / seconds)
    return rates


def _disk_bytes() -> dict[str, tuple[int, int]]:
    counters = psutil.disk_io_counters(perdisk=True) or {}
    whole = [name for name in sorted(counters) if not name.startswith(_NO_DISKS) and _is_whole_disk(name)]
    return {
        label(name): (counters[name].read_bytes, counters[name].write_bytes) for name in whole[:DEVICE_LIMIT]
    }


def _is_whole_disk(name: str) -> bool:
    """Say whether ``name`` is a disk and not a partition of one, whose traffic would count twice."""
    return sys.platform != "linux" or os.path.exists(f"/sys/block/{name.replace('/', '!')}")


def _interface_bytes() -> dict[str, tuple[int, int]]:
    counters = psutil.net_io_counters(pernic=True) or {}
    physical = [name for name in sorted(counters) if not name.startswith(_VIRTUAL)]
    return {
        label(name): (counters[name].bytes_recv, counters[name].bytes_sent)
        for name in physical[:DEVICE_LIMIT]
    }


def _mounts() -> tuple[str, ...]:
    """Return the mount points of real file systems, one for each device; of several the shortest."""
    shortest: dict[str, str] = {}
    for partition in psutil.disk_partitions(all=True):
        if partition.fstype not in REAL_FILE_SYSTEMS and partition.mountpoint != "/":
            continue
        known = shortest.get(partition.device)
        if known is None or len(partition.mountpoint) < len(known):
            shortest[partition.device] = partition.mountpoint
    return tuple(sorted(shortest.values())[:DEVICE_LIMIT])
