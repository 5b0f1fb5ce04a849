"""Listening sockets according to the kernel (Linux)."""

import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

_ESTABLISHED, _LISTEN = "01", "0A"


def listening(processes: Iterable[int]) -> set[tuple[str, int]]:
    """Address and port of every listening TCP socket of the processes."""
    inodes = {inode for process in processes for inode in _socket_inodes(process)}
    return {place for inode, place in _listeners().items() if inode in inodes}


def lies_unread(port: int) -> bool:
    """Whether a server on 127.0.0.1 has unread data: the kernel knows, whatever the server does."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, queues = line.split()[:5]
        if state == _ESTABLISHED and int(local.split(":")[1], 16) == port and int(queues.split(":")[1], 16) > 0:
            return True
    return False


def group_of(leader: int) -> list[int]:
    """The processes of a group: a program of the tests with everything it has started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getpgid(int(entry.name)) == leader:
                    found.append(int(entry.name))
            except ProcessLookupError:
                continue
    return found


def _socket_inodes(process: int) -> set[str]:
    try:
        descriptors = os.listdir(f"/proc/{process}/fd")
    except FileNotFoundError:
        return set()  # it has exited
    found = set()
    for descriptor in descriptors:
        try:
            target = os.readlink(f"/proc/{process}/fd/{descriptor}")
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            found.add(target[len("socket:["):-1])
    return found


def _listeners() -> dict[str, tuple[str, int]]:
    """Inode -> address and port."""
    found = {}
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == _LISTEN:
                address, port = local.split(":")
                # 32-bit words in native byte order.
                words = [int(address[at:at + 8], 16) for at in range(0, len(address), 8)]
                found[inode] = (socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words)), int(port, 16))
    return found
