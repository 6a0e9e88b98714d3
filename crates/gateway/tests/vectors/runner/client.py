"""The clients: plain sockets, because a failed write must not lose an answer that is there."""

import asyncio
import errno
import itertools
import re
import socket
import struct
import time

from recipe import PATH

# A judgement waits as long as this for what it expects; it is only waited out where that never comes.
PATIENCE = 30.0
# With an expected outcome in hand, so much silence says that nothing follows it.
QUIET = 0.25
_TICK = 0.005
_KEPT = 1 << 23
_PEERS = itertools.count(1)


class Connection:
    """One connection to the gateway: collects what comes back and notices the close."""

    def __init__(self):
        self.answer = b""
        self.closed = False
        self._changed = time.monotonic()

    async def open(self, port):
        """Connects, from an address of its own: the throttle of failed proofs counts by peer.

        Where the system has no more than one loopback address, all come from that one.
        """
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = next(_PEERS)
        try:
            self._socket.bind((f"127.77.{number // 250 % 250}.{number % 250 + 1}", 0))
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EINVAL):
                raise
        await asyncio.get_running_loop().sock_connect(self._socket, ("127.0.0.1", port))
        self._reading = asyncio.create_task(self._read())

    async def _read(self):
        try:
            while data := await asyncio.get_running_loop().sock_recv(self._socket, 65536):
                self._changed = time.monotonic()
                if len(self.answer) < _KEPT:
                    self.answer += data
        except OSError:
            pass
        self._changed = time.monotonic()
        self.closed = True

    async def write(self, data):
        """Writes what the gateway takes: it may close, or stop reading, at any byte."""
        writing = asyncio.get_running_loop().sock_sendall(self._socket, data)
        try:
            await asyncio.wait_for(writing, 5)
        except (OSError, asyncio.TimeoutError):
            pass

    async def until(self, holds, quiet=QUIET, patience=PATIENCE):
        """Waits until `holds()` and then for silence, or for the close; at most for `patience`."""
        end = time.monotonic() + patience
        while not self.closed and time.monotonic() < end:
            await asyncio.sleep(_TICK)
            if time.monotonic() - self._changed > quiet and holds():
                break

    def half_close(self):
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    async def end(self, reset=False):
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        if reset:
            linger = struct.pack("ii", 1, 0)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._socket.close()


async def post(port, body, headers):
    """One POST of its own connection; returns the final status, or 0, and the answer's body."""
    connection = Connection()
    await connection.open(port)
    head = [
        f"POST {PATH} HTTP/1.1".encode(),
        b"Host: 127.0.0.1",
        b"Connection: close",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        *headers,
    ]
    data = b"\r\n".join(head) + b"\r\n\r\n" + body
    for at in range(0, len(data), 1 << 18):
        if connection.answer or connection.closed:
            break
        await connection.write(data[at : at + (1 << 18)])
    await connection.until(lambda: _final(connection.answer)[2], quiet=0)
    await connection.end()
    status, answer, _ = _final(connection.answer)
    return status, answer


def _final(out):
    """The final answer in `out`: status, or 0; body; whether it is whole by its Content-Length."""
    out = re.sub(rb"^(?:HTTP/1\.1 1\d\d[^\n]*\n(?:[^\r\n]+\r?\n)*\r?\n)+", b"", out)
    head, whole, body = out.partition(b"\r\n\r\n")
    status = re.match(rb"HTTP/1\.[01] (\d{3})", head)
    if not whole or not status:
        return 0, b"", False
    length = re.search(rb"(?im)^content-length:\s*(\d+)", head)
    return int(status[1]), body, bool(length) and len(body) >= int(length[1])
