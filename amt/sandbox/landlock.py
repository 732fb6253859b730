"""Landlock: what a process and all that it starts may do with files, TCP ports and signals, for good (Linux 6.12).

A ruleset is made here and handed to a worker as a descriptor; each test puts itself under it. It needs no privilege.
What it does not cover: metadata (chmod, utime …: the seccomp filter refuses them), whether a file exists, UDP (no
sockets at all: seccomp), how much is written in all.
"""

import ctypes
import os
import platform
import struct
from collections.abc import Iterable

SIGNALS_ABI = 6
"""From which signals can be confined to the test's own processes."""

_CREATE_RULESET, _ADD_RULE = 444, 445  # the same on every architecture
_VERSION = 1
_BENEATH = 1
_O_PATH = 0x200000

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_EVERYTHING = (1 << 16) - 1
_FOR_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_NETWORK = 0b11  # bind and connect of TCP
_SCOPES = 0b11  # abstract sockets and signals


def abi() -> int:
    """Version of the kernel's Landlock, 0 if there is none."""
    if platform.machine() not in ("x86_64", "aarch64"):
        return 0
    return max(0, _syscall(_CREATE_RULESET, None, 0, _VERSION))


def ruleset(readable: Iterable[str], writable: Iterable[str]) -> int:
    """A ruleset that leaves these paths and what lies below them; its descriptor.

    Raises:
        OSError: the kernel has none of it, or not all of it.
    """
    attributes = struct.pack("=QQQ", _EVERYTHING, _NETWORK, _SCOPES)
    descriptor = _checked(_syscall(_CREATE_RULESET, attributes, len(attributes), 0))
    for paths, rights in ((readable, _EXECUTE | _READ_FILE | _READ_DIR), (writable, _EVERYTHING & ~_IOCTL_DEV)):
        for path in paths:
            parent = os.open(path, _O_PATH | os.O_CLOEXEC)
            allowed = rights if os.path.isdir(path) else rights & _FOR_FILES
            _checked(_syscall(_ADD_RULE, descriptor, _BENEATH, struct.pack("=Qi", allowed, parent), 0))
            os.close(parent)
    return descriptor


def _syscall(number: int, *arguments: object) -> int:
    return ctypes.CDLL(None, use_errno=True).syscall(number, *arguments)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"landlock: {os.strerror(ctypes.get_errno())}")
    return result
