"""json.jsonl and jwt.jsonl: calls whose body, authorization or token is varied."""

import json
import time

import issuers
import verdict
from client import post
from recipe import AUTHORIZATION, CALL, expand


async def run_json(gateway, vectors, mock, options):
    """Yields (vector, faults, what was seen); `options.unknown` is the setting of `unknown_fields`."""
    for vector in vectors:
        mock.clear()
        authorization = vector.get("auth", AUTHORIZATION)
        headers = []
        if authorization is not None:
            headers.append(b"X-Bkapi-Authorization: " + authorization.encode("latin-1"))
        answered = await post(gateway, expand(vector["raw"]), headers)
        exchange = verdict.Exchange(*answered, mock)
        yield vector, verdict.judge(vector, exchange, options.unknown == "drop"), exchange


async def run_jwt(gateway, vectors, mock, options):
    """Yields (vector, faults, what was seen); `options.keys` are those the gateway believes."""
    for vector in vectors:
        mock.clear()
        headers, tokens = issuers.carry(vector, options.keys, int(time.time()))
        body = json.dumps({**CALL, **vector.get("body", {})}).encode()
        answered = await post(gateway, body, headers)
        exchange = verdict.Exchange(*answered, mock)
        bad = verdict.judge(vector, exchange)
        # A part of a token is long enough to be told from anything else.
        parts = [part for token in tokens for part in token.split(b".") if len(part) > 24]
        told = [exchange.answer, *(head + body for head, body in exchange.seen)]
        if any(part in text for part in parts for text in told):
            bad.append("the token is in the answer or reached the upstream")
        yield vector, bad, exchange
