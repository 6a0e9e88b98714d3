"""Sends a corpus of hostile calls to a gateway on 127.0.0.1 and judges what it did.

    python runner SUITE --corpus FILE [--only REGEX] [--unknown drop] [--pid PID] [--keys DIR]

The runner is what stands behind the gateway too, so the two start by telling each other their ports:
it prints one line of JSON, {"upstream": PORT, "login": PORT}, and waits for a line with the gateway's
port on standard input. Then it prints a line for each vector that failed, and last one line of JSON,
{"passed": N, "failed": N}. Exit status 1 if a vector failed or none ran.

README.md in the folder above describes the corpora and how the gateway has to be set up.
"""

import argparse
import asyncio
import json
import re
import sys

import calls
import http1
import http2
import issuers
import upstream

_SUITES = {
    "http1": http1.run,
    "h2": http2.run,
    "json": calls.run_json,
    "jwt": calls.run_jwt,
}


def _options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("suite", choices=_SUITES)
    parser.add_argument("--corpus", required=True, help="the vectors, one JSON object a line")
    parser.add_argument("--only", default=".", help="only vectors whose 'id class' matches")
    parser.add_argument(
        "--unknown",
        choices=("refuse", "drop"),
        default="refuse",
        help="json: the application's setting of unknown_fields",
    )
    parser.add_argument("--pid", type=int, help="h2: whose memory is watched")
    parser.add_argument("--keys", help="jwt: a folder for the public keys of the issuers")
    options = parser.parse_args()
    for suite, needed in (("h2", "pid"), ("jwt", "keys")):
        if options.suite == suite and getattr(options, needed) is None:
            parser.error(f"{suite} needs --{needed}")
    return options


async def _run(options):
    with open(options.corpus, encoding="ascii") as lines:
        vectors = [json.loads(line) for line in lines]
    vectors = [v for v in vectors if re.search(options.only, f"{v['id']} {v['cls']}")]
    if options.keys:
        options.keys = issuers.Keys(options.keys)
    mock = upstream.Upstream()
    ports = {"upstream": await mock.start(), "login": await upstream.start_login()}
    print(json.dumps(ports), flush=True)
    gateway = int(await asyncio.to_thread(sys.stdin.readline))
    passed = failed = 0
    async for vector, faults, saw in _SUITES[options.suite](gateway, vectors, mock, options):
        if faults:
            failed += 1
            print(f"{vector['id']} ({vector['cls']}): {'; '.join(faults)} -- {saw}", flush=True)
        else:
            passed += 1
    print(json.dumps({"passed": passed, "failed": failed}), flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_run(_options())))
