"""The services behind the gateway: a mock ESB that keeps what reaches it, and a mock login service."""

import asyncio
import json
import re

from recipe import CALL, PATH, SECRET, USER, strict_json

JOB_ID = 10_000_000_001
_ANSWER = json.dumps(
    {
        "result": True,
        "code": 0,
        "message": "",
        "data": {
            "job_instance_id": JOB_ID,
            "job_instance_name": "corpus",
            "step_instance_id": 20_000_000_001,
        },
        "job_request_id": "0" * 16,
        "request_id": "0" * 32,
    }
).encode()

# Fields that the gateway must never send on.
_HOP_BY_HOP = {
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "cookie",
    "content-encoding",
    "http2-settings",
}
_IDENTITY = (
    "bk_app_code",
    "bk_app_secret",
    "bk_username",
    "bk_token",
    "app_code",
    "app_secret",
    "username",
)


class Upstream:
    """A mock ESB. Vectors run one at a time, so what is `seen` belongs to the one that runs."""

    def __init__(self):
        self.seen = []
        """Whole requests: (head, body)."""
        self.broken = []
        """What came and was no whole request."""
        self._open = 0

    async def start(self):
        """Listens on a free port of 127.0.0.1 and returns it."""
        return await _listen(self._serve)

    def clear(self):
        self.seen.clear()
        self.broken.clear()

    async def idle(self):
        """Returns when no connection is open and none has come for a while."""
        quiet, known = 0, -1
        while quiet < 50:
            await asyncio.sleep(0.01)
            still = not self._open and len(self.seen) == known
            quiet, known = quiet + 1 if still else 0, len(self.seen)

    async def _serve(self, reader, writer):
        head = b""
        self._open += 1
        try:
            while True:
                head = b""
                head = await reader.readuntil(b"\r\n\r\n")
                self.seen.append((head, await _body(reader, head)))
                writer.write(_http_answer(_ANSWER))
                await writer.drain()
        except asyncio.IncompleteReadError as error:
            if head or error.partial:
                self.broken.append(head + error.partial)
        except (OSError, ValueError, asyncio.LimitOverrunError) as error:
            self.broken.append(head + repr(error).encode())
        finally:
            self._open -= 1
            writer.close()


async def start_login():
    """A mock login service on a free port, which it returns."""
    return await _listen(_serve_login)


async def _listen(serve):
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 25)
    return server.sockets[0].getsockname()[1]


def _http_answer(body):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def _body(reader, head):
    if not re.search(rb"(?im)^transfer-encoding:.*chunked", head):
        length = re.search(rb"(?im)^content-length:\s*(\d+)\s*$", head)
        return await reader.readexactly(int(length[1])) if length else b""
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return body


_USERS = {"corpus-token-do-not-log": USER}


async def _serve_login(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            asked = re.match(r"GET (\S*?)\?bk_token=([^ &]*)", head)
            user = _USERS.get(asked[2]) if asked else None
            writer.write(_http_answer(json.dumps(_verdict(asked and asked[1], user)).encode()))
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass
    finally:
        writer.close()


def _verdict(path, user):
    """What the three `is_login` paths say of a token."""
    known = bool(user)
    if path and "/api/v2/" in path:
        data = {"bk_username": user} if known else {}
        code = 0 if known else 1302100
        return {"result": known, "bk_error_code": code, "bk_error_msg": "", "data": data}
    if path and "/api/v3/" in path:
        data = {"bk_username": user} if known else {}
        return {"result": known, "code": 0 if known else 1302100, "message": "", "data": data}
    data = {"username": user} if known else {}
    return {"result": known, "code": "00" if known else "1200", "message": "", "data": data}


def faults(vector, seen, broken, call=None):
    """What is wrong with what reached the upstream, whatever the vector expects."""
    bad = [f"upstream got a broken request: {broken[0][:60]!r}"] if broken else []
    call = CALL if call is None else call
    for head, body in seen:
        bad += _head_faults(vector, head, body)
        bad += _body_faults(vector, head, body, call)
    return bad


def _fields(head):
    fields = {}
    for line in head[:-4].split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        values = fields.setdefault(name.decode("latin-1").lower(), [])
        values.append(value.strip().decode("latin-1"))
    return fields


def _head_faults(vector, head, body):
    line, fields = head.split(b"\r\n")[0], _fields(head)
    if line != b"POST " + PATH.encode() + b" HTTP/1.1":
        yield f"upstream request line {line[:80]!r}"
    for name in fields:
        if name in _HOP_BY_HOP or "_" in name:
            yield f"upstream got header {name}"
    if any(option.lower() not in ("close", "keep-alive") for option in fields.get("connection", [])):
        yield f"upstream got Connection: {fields['connection']}"
    if fields.get("content-length") != [str(len(body))] or len(fields.get("host", [])) != 1:
        yield "upstream wants one Content-Length and one Host"
    if SECRET in head or SECRET in body:
        yield "the caller's secret reached the upstream"
    if vector.get("canary", "smuggled_canary").encode() in head:
        yield "canary head reached the upstream"
    lower = (head + b"\n" + body).lower()
    for text in vector.get("forbid", []):
        if text.encode("latin-1").lower() in lower:
            yield f"forwarded {text[:40]!r}"


def _body_faults(vector, head, body, call):
    authorizations = _fields(head).get("x-bkapi-authorization", [])
    try:
        got = strict_json(body)
        header = strict_json(authorizations[0].encode("latin-1")) if authorizations else {}
    except ValueError as error:
        yield f"upstream body: {error}"
        return
    if not isinstance(got, dict) or not isinstance(header, dict):
        yield "upstream body: not an object"
        return
    if len(authorizations) > 1:
        yield "upstream got two X-Bkapi-Authorization"
    for name in _IDENTITY:
        if authorizations and name in got:
            yield f"upstream got {name} in the body beside the header"
    identity = {**got, **header}
    user, token = identity.get("bk_username"), identity.get("bk_token")
    wanted = (vector.get("user", USER), None)
    if "user_token" in vector:
        wanted = (None, vector["user_token"])
    if (user, token) != wanted:
        yield f"upstream user is {user!r}" + (", with a bk_token" if token else "")
    for name, value in call.items():
        if got.get(name) != value or type(got.get(name)) is not type(value):
            yield f"upstream {name} is {json.dumps(got.get(name))[:60]}"
    for name in vector.get("unknown", []):
        if "." not in name and name in got:
            yield f"unknown field {name[:40]!r} reached the upstream"
