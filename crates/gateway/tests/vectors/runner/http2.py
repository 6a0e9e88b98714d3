"""h2.jsonl: raw bytes of HTTP/2 with prior knowledge, one connection a vector."""

import asyncio
import re
import struct

import upstream
from client import PATIENCE, Connection
from hpack import Decoder, HPACKError
from recipe import SECRET, expand

# Resident memory may grow by this much under one vector.
_GROWTH = 64 << 20
# A flood is over when it is sent, and the gateway may go on waiting: so long it is looked at.
_FLOOD = 1.5
_DATA, _HEADERS, _RST_STREAM, _GOAWAY = 0, 1, 3, 7


class Answers:
    """What the frames of one connection say."""

    def __init__(self, out):
        self.statuses = []
        """Final ones, in the order of the answers."""
        self.resets = 0
        self.goaway = None
        """The error code of the last GOAWAY."""
        self.body = b""
        decoder = Decoder()
        for kind, payload in _frames(out):
            if kind == _DATA:
                self.body += payload
            elif kind == _HEADERS:
                self.statuses += _final_statuses(decoder, payload)
            elif kind == _RST_STREAM:
                self.resets += 1
            elif kind == _GOAWAY:
                self.goaway = struct.unpack(">I", payload[4:8])[0]


def _frames(out):
    while len(out) >= 9:
        size = int.from_bytes(out[:3], "big")
        if len(out) < 9 + size:
            return
        yield out[3], out[9 : 9 + size]
        out = out[9 + size :]


def _final_statuses(decoder, block):
    try:
        fields = decoder.decode(block)
    except HPACKError:
        return [0]
    statuses = [int(value) for name, value in fields if name == ":status"]
    return [status for status in statuses if not 100 <= status < 200]


def _resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s*(\d+)", status.read())[1]) << 10


async def run(gateway, vectors, mock, options):
    """Yields (vector, faults, what was seen); `options.pid` is the process whose memory is watched."""
    ordinary = next(vector for vector in vectors if vector["id"] == "ok-post")
    # These only wait for a deadline of the gateway and must send nothing on, so they wait together.
    waiting = [vector for vector in vectors if vector["cls"] == "slow"]
    for vector in vectors:
        if vector in waiting:
            continue
        mock.clear()
        if vector["cls"] == "resource":
            yield await _flood(gateway, vector, mock, options.pid, ordinary)
        else:
            yield _judged(vector, await _send(gateway, vector, mock), mock)
    mock.clear()
    sent = await asyncio.gather(*(_send(gateway, vector, mock) for vector in waiting))
    for vector, connection in zip(waiting, sent):
        yield _judged(vector, connection, mock)


async def _send(gateway, vector, mock, patience=PATIENCE):
    connection = Connection()
    await connection.open(gateway)
    await connection.write(expand(vector["raw"]))
    await connection.until(lambda: _outcome(vector, connection, mock), patience=patience)
    await connection.end()
    return connection


async def _flood(gateway, vector, mock, pid, ordinary):
    """Floods, and then is an honest caller on a connection of its own."""
    before = _resident(pid)
    flooding = Connection()
    await flooding.open(gateway)
    await flooding.write(expand(vector["raw"]))
    await flooding.until(lambda: False, patience=_FLOOD)
    await flooding.end()
    grown = _resident(pid) - before
    judged = _judged(vector, flooding, mock)
    # What the flood still sends on must not be counted under the next vector.
    await mock.idle()
    mock.clear()
    honest = await _send(gateway, ordinary, mock)
    if Answers(honest.answer).statuses != [200]:
        judged[1].append("a fresh connection is not served")
    if grown >= _GROWTH:
        judged[1].append(f"resident memory grew by {grown >> 20} MiB")
    return judged


def _judged(vector, connection, mock):
    said, reached = Answers(connection.answer), len(mock.seen)
    bad = upstream.faults(vector, mock.seen, mock.broken)
    if reached > vector["max_upstream"]:
        bad.append(f"upstream saw {reached} > {vector['max_upstream']}")
    if SECRET in said.body or SECRET in connection.answer:
        bad.append("a secret is in the answer")
    if not _outcome(vector, connection, mock):
        bad.append("no acceptable outcome")
    saw = f"statuses {said.statuses[:9]} x{len(said.statuses)} resets {said.resets}"
    saw += f" goaway {said.goaway} closed {connection.closed} upstream {reached}"
    return vector, bad, saw


def _outcome(vector, connection, mock):
    said = Answers(connection.answer)
    return next((o for o in vector["acceptable"] if _is(o, said, connection, mock)), None)


def _is(outcome, said, connection, mock):
    served, reached = 200 in said.statuses, len(mock.seen)
    match outcome:
        case "forward_one":
            return said.statuses == [200] and reached == 1
        case "forward_one_of_two":
            two = sorted(said.statuses)
            return reached == 1 and len(two) == 2 and two[0] == 200 and 400 <= two[1] < 500
        case "stream_error":
            return said.resets > 0 and not served
        case "conn_error":
            return (said.goaway not in (None, 0) or connection.closed) and not served
        case "reject_4xx":
            refused = bool(said.statuses) and 400 <= said.statuses[0] < 500
            return refused and not served or connection.answer.startswith(b"HTTP/1.1 4")
        case "timeout_close":
            return connection.closed and not served
        case "bounded":
            return True
    raise ValueError(f"{outcome} is no outcome")
