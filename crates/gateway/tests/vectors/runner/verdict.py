"""Judges the answer to a call, and what of it reached the upstream."""

import json
import re

import upstream
from recipe import CALL, SECRET, TOKEN, strict_json


class Exchange:
    """What was answered, and what had reached the upstream by then."""

    def __init__(self, status, answer, mock):
        self.status = status
        self.answer = answer
        self.seen = list(mock.seen)
        self.broken = list(mock.broken)

    def __str__(self):
        return f"status {self.status} upstream {len(self.seen)} {self.answer[:160]!r}"


def judge(vector, exchange, drop=False):
    """The faults of an exchange under a vector of json.jsonl or jwt.jsonl.

    `drop`: the application's unknown fields are dropped, not refused.
    """
    expect = vector.get("expect_drop", vector["expect"]) if drop else vector["expect"]
    outcomes = [expect, *vector.get("also_ok", []), *(vector.get("also_drop", []) if drop else [])]
    ordinary = expect.startswith("accept") or len(outcomes) > 1
    varied = vector.get("varies", [])
    call = {name: value for name, value in CALL.items() if ordinary and name not in varied}
    bad = upstream.faults(vector, exchange.seen, exchange.broken, call)
    if SECRET in exchange.answer or TOKEN in exchange.answer:
        bad.append("a secret is in the answer")
    if len(exchange.answer) > vector.get("max_answer", 1 << 20):
        bad.append(f"the answer has {len(exchange.answer)} bytes")
    if len(exchange.seen) > 1:
        bad.append(f"upstream saw {len(exchange.seen)} requests")
    missed = []
    for outcome in outcomes:
        why = _misses(outcome, vector, exchange)
        if not why:
            return bad
        missed.append(f"not {outcome}: {why}")
    return bad + missed


def _misses(outcome, vector, exchange):
    """Why the exchange is not this outcome; empty if it is."""
    match outcome:
        case "accept":
            return _not_accepted(vector, exchange)
        case "reject":
            return _not_rejected(exchange, vector.get("status_any"), mention=vector.get("mention"))
        case "reject_unknown":
            return _not_rejected(exchange, [400], names=vector.get("unknown"))
        case "reject_policy":
            return _not_rejected(exchange)
        case "cut":
            return str(exchange) if exchange.status or exchange.seen else ""
    raise ValueError(f"{vector['id']}: {outcome} is no outcome")


def _not_accepted(vector, exchange):
    if exchange.status != 200 or len(exchange.seen) != 1:
        return str(exchange)
    try:
        answer = json.loads(exchange.answer)
        said = answer["result"], answer["data"]["job_instance_id"], answer["executed"]
    except (ValueError, KeyError, TypeError):
        said = None
    if said != (True, upstream.JOB_ID, "yes"):
        return str(exchange)
    try:
        got = strict_json(exchange.seen[0][1])
    except ValueError as error:
        return f"upstream body: {error}"
    for path, wanted in vector.get("must", {}).items():
        try:
            value = _at(got, path)
        except (KeyError, IndexError, TypeError, ValueError):
            return f"upstream has no {path}"
        if value != wanted or type(value) is not type(wanted):
            return f"upstream {path} is {json.dumps(value)[:60]}"
    return ""


def _at(value, path):
    for step in re.findall(r"[^.\[\]]+", path):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


def _not_rejected(exchange, statuses=None, names=None, mention=None):
    # Failed proofs may be throttled.
    statuses = [*statuses, 429] if statuses and 401 in statuses else statuses
    in_range = exchange.status in statuses if statuses else 400 <= exchange.status < 500
    if exchange.seen or not in_range:
        return f"{exchange}, expected {statuses or '4xx'}"
    if exchange.status == 431 and not exchange.answer and not mention:
        # The HTTP library answers before the gateway does.
        return ""
    try:
        envelope = json.loads(exchange.answer)
    except ValueError:
        return "the refusal is not JSON"
    if not isinstance(envelope, dict) or envelope.get("result") is not False:
        return "the refusal has no result: false"
    if type(envelope.get("code")) is not int or not envelope.get("message"):
        return "the refusal lacks a code or a message"
    if envelope.get("executed") != "no":
        return f"executed is {envelope.get('executed')!r}"
    if names and not _names_one_of(envelope, names):
        return f"no fault names {names[0][:40]!r}"
    if mention and mention not in json.dumps(envelope, ensure_ascii=False):
        return f"the refusal does not mention {mention}"
    return ""


def _names_one_of(envelope, names):
    """Whether a fault's path names one of the fields.

    A name that is not plain may be quoted or escaped in any way, so only its fault is asked for.
    """
    listed = envelope.get("faults") or []
    paths = [fault["path"] for fault in listed if isinstance(fault.get("path"), str)]
    plain = [name for name in names if re.fullmatch(r"[\w.\[\]]{1,199}", name, re.ASCII)]
    if len(plain) < len(names):
        return bool(paths)
    return any(path == n or path.startswith((n + ".", n + "[")) for path in paths for n in plain)
