"""http1.jsonl: raw bytes of HTTP/1, one connection a vector."""

import asyncio
import re

import upstream
from client import Connection
from recipe import SECRET, expand


def _statuses(out):
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] ([2-9]\d\d)", out)]


async def run(gateway, vectors, mock, _options):
    """Yields (vector, faults, what was seen)."""
    # These only wait for a deadline of the gateway and must send nothing on, so they wait together.
    waiting = [v for v in vectors if "slow" in v["tags"] and v["max_upstream"] == 0]
    for vector in vectors:
        if vector not in waiting:
            mock.clear()
            yield await _one(gateway, vector, mock)
    mock.clear()
    for judged in await asyncio.gather(*(_one(gateway, vector, mock) for vector in waiting)):
        yield judged


async def _one(gateway, vector, mock):
    raw, connection = expand(vector["raw"]), Connection()
    await connection.open(gateway)
    at = 0
    for size, milliseconds, times in vector.get("writes") or [[len(raw), 0, 1]]:
        for _ in range(times):
            if milliseconds:
                await asyncio.sleep(milliseconds / 1000)
            if connection.closed:
                break
            await connection.write(raw[at : at + size])
            at += size

    def outcome():
        return next((o for o in vector["acceptable"] if _is(o, vector, connection, mock)), None)

    if vector["then"] == "rst":
        # The gateway has to have read the bytes before the reset throws them away.
        await asyncio.sleep(0.05)
        await connection.end(reset=True)
        connection.closed = True
    else:
        if vector["then"] == "half_close":
            connection.half_close()
        await connection.until(outcome)
        await connection.end()
    # What is sent on too late is counted under the next vector: found all the same, only less clearly.
    await asyncio.sleep(0.02)
    statuses, reached = _statuses(connection.answer), len(mock.seen)
    bad = upstream.faults(vector, mock.seen, mock.broken)
    if reached > vector["max_upstream"]:
        bad.append(f"upstream saw {reached} > {vector['max_upstream']}")
    if SECRET in connection.answer:
        bad.append("a secret is in the answer")
    if not outcome():
        bad.append("no acceptable outcome")
    return vector, bad, f"statuses {statuses} upstream {reached} closed {connection.closed}"


def _is(outcome, vector, connection, mock):
    statuses, reached = _statuses(connection.answer), len(mock.seen)
    refused = len(statuses) == 1 and statuses[0] >= 400
    match outcome:
        case "reject_close":
            allowed = vector["status_any"]
            told = refused and (not allowed or statuses[0] in allowed)
            return told and connection.closed and reached == 0
        case "reject_then_forward":
            return statuses[1:] == [200] and statuses[0] >= 400 and reached == 1
        case "close":
            return not statuses and connection.closed and reached == 0
        case "timeout_close":
            return connection.closed and reached == 0 and statuses in ([], [400], [408])
        case "forward_one":
            return reached == 1 and statuses[:1] == [200]
        case "forward_each":
            return reached >= 2 and statuses == [200] * reached
        case "h2_session":
            return connection.answer[3:4] == b"\x04"
    raise ValueError(f"{vector['id']}: {outcome} is no outcome")
