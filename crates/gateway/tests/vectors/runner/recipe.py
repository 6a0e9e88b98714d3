"""Bytes of a recipe, and the ordinary call that the corpora vary."""

import json
import struct

PATH = "/api/c/compapi/v2/jobv3/fast_execute_script/"
USER = "corpus_user"
AUTHORIZATION = json.dumps(
    {"bk_app_code": "corpus", "bk_app_secret": "corpus-secret-do-not-log", "bk_username": USER},
    separators=(",", ":"),
)
CALL = {
    "bk_biz_id": 2,
    "account_alias": "root",
    "script_content": "ZWNobyBoaQ==",
    "script_language": 1,
    "target_server": {"ip_list": [{"bk_cloud_id": 0, "ip": "127.0.0.1"}]},
}

# How every key of the corpora ends: it must be in no answer and never reach the upstream.
SECRET = b"secret-do-not-log"
# How every bk_token ends: it must be in no answer.
TOKEN = b"token-do-not-log"


def expand(recipe):
    """The bytes of a list of parts, one after another (README.md, "How bytes are written")."""
    out = bytearray()
    for part in recipe:
        if isinstance(part, str):
            out += part.encode("latin-1")
            continue
        text, first = part["t"].encode("latin-1"), part.get("i")
        if first is None:
            out += text * part["x"]
            continue
        step = part.get("step", 1)
        for number in range(first, first + part["x"] * step, step):
            out += _unit(text, number, part.get("at", ()))
    return bytes(out)


def _unit(text, number, offsets):
    unit = bytearray(text.replace(b"{i}", b"%d" % number).replace(b"{i5}", b"%05d" % number))
    for at in offsets:
        unit[at : at + 4] = struct.pack(">I", number)
    return unit


def strict_json(raw):
    """A JSON text in which no member name stands twice; ValueError where it is none."""

    def members(pairs):
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError("a member name twice")
        return dict(pairs)

    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=members)
    except RecursionError:
        raise ValueError("too deep") from None
