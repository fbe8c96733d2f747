"""Becomes another program that is not root: PostgreSQL refuses to run as root, and no foreign folder is opened for it.

A script, not a module of the service: app/store/postgres_process.py runs it as
`python -I -S unprivileged.py WAY UID GID FOLDER PROGRAM ARGUMENTS...`. It leaves with UNUSABLE when this way does not
work here. docs/decisions/0002-embedded-postgresql.md tells the ways.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

UNUSABLE = 125

# <linux/prctl.h>, <linux/securebits.h>, <linux/capability.h>, <linux/sched.h>
_PR_SET_SECUREBITS = 28
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2
_CLONE_NEWUSER = 0x10000000


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def drop(uid: int, gid: int) -> None:
    """Plainly the other user: enough where that user can reach the data folder and the binaries."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def capability(uid: int, gid: int) -> None:
    """The other user, who keeps of root's rights only the one to pass through closed folders."""
    libc = ctypes.CDLL(None, use_errno=True)
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    permitted = int(next(line for line in status if line.startswith("CapPrm:")).split()[1], 16)
    kept = next((bit for bit in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE) if permitted >> bit & 1), None)
    if kept is None:
        raise PermissionError
    # Without this bit access(2), with which PostgreSQL looks for itself, ignores the capability.
    _check(libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0))
    drop(uid, gid)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    mask = 1 << kept
    _check(libc.capset(header, (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)))
    _check(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, kept, 0, 0))


def namespace(uid: int, gid: int) -> None:
    """Root outside, the other user in its own eyes: a user namespace with one entry. For roots without capabilities."""
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.unshare(_CLONE_NEWUSER))
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{gid} 0 1", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{uid} 0 1", encoding="ascii")


def main(arguments: list[str]) -> int:
    """Changes the user, looks whether program and folder can be reached, and becomes the program."""
    way, uid, gid, folder, *command = arguments
    try:
        {"drop": drop, "capability": capability, "namespace": namespace}[way](int(uid), int(gid))
    except (OSError, AttributeError):
        return UNUSABLE
    if not (os.access(command[0], os.X_OK) and os.access(folder, os.W_OK | os.X_OK)):
        return UNUSABLE
    os.execv(command[0], command)  # noqa: S606 - there is no shell, and none is wanted
    return UNUSABLE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
