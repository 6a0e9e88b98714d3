"""Issuers of jwt.jsonl: their keys, and tokens from recipes (README.md, "Tokens").

Tokens are put together by hand, because most of them are ones that no library would make.
"""

import base64
import json
import os
import re

from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from recipe import expand

# Keys that begin with `evil` are configured nowhere.
_KINDS = {
    "rs-1": "rsa",
    "rs-2": "rsa",
    "gw-1": "rsa",
    "es-1": "ec",
    "ed-1": "ed",
    "evil-rs": "rsa",
    "evil-es": "ec",
    "evil-ed": "ed",
}
_HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_TIMES = {"iat": "<now-5>", "nbf": "<now-5>", "exp": "<now+300>"}


def _own(name):
    """The claims of an issuer of our own."""
    issuer = f"https://{name}.issuer.example"
    return {"iss": issuer, "aud": "esbgate", "app_code": "corpus", **_TIMES}


# Issuer -> header, claims, algorithm and key of an ordinary token.
_ORDINARY = {
    "rs": ({"typ": "JWT", "alg": "RS256", "kid": "rs-1"}, _own("rs"), "RS256", "rs-1"),
    "es": ({"typ": "JWT", "alg": "ES256"}, _own("es"), "ES256", "es-1"),
    "ed": ({"typ": "JWT", "alg": "EdDSA"}, _own("ed"), "EdDSA", "ed-1"),
    # The form of a BlueKing API gateway, with an audience added.
    "gw": (
        {"typ": "JWT", "alg": "RS512", "kid": "corpus-gw"},
        {
            "iss": "APIGW",
            "aud": "esbgate",
            "app": {"version": 1, "app_code": "corpus", "verified": True, "valid_error_message": ""},
            "user": {
                "version": 1,
                "username": "jwt_user",
                "verified": True,
                "valid_error_message": "",
            },
            "nbf": "<now-300>",
            "exp": "<now+1500>",
        },
        "RS512",
        "gw-1",
    ),
}


def _b64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _unb64url(text):
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


class Keys:
    """Fresh key pairs; what a gateway needs to believe them is written into a folder."""

    def __init__(self, folder):
        self._private = {name: _generate(kind) for name, kind in _KINDS.items()}
        for name in _KINDS:
            if not name.startswith("evil"):
                _write(folder, f"{name}.pem", self._pem(name))
        _write(folder, "rs.jwks.json", self._jwks())

    def _pem(self, name, form=serialization.PublicFormat.SubjectPublicKeyInfo):
        return self._private[name].public_key().public_bytes(serialization.Encoding.PEM, form)

    def jwk(self, name):
        modulus = self._modulus(name)
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": name}
        return {**key, "n": _b64url(modulus).decode(), "e": "AQAB"}

    def _jwks(self):
        return json.dumps({"keys": [self.jwk("rs-1"), self.jwk("rs-2")]}, indent=1).encode()

    def _modulus(self, name):
        return self._private[name].public_key().public_numbers().n.to_bytes(256, "big")

    def _shared_secret(self, spec):
        """Public bytes that a confused verifier might take for the key of an HMAC."""
        kind, _, name = spec.partition(":")
        match kind:
            case "text":
                return name.encode()
            case "pem":
                return self._pem(name)
            case "pem-no-newline":
                return self._pem(name).rstrip(b"\n")
            case "pem-crlf":
                return self._pem(name).replace(b"\n", b"\r\n")
            case "pem-body":
                return b"".join(self._pem(name).split(b"\n")[1:-2])
            case "der":
                lines = self._pem(name).split(b"\n")[1:-2]
                return base64.b64decode(b"".join(lines))
            case "pkcs1":
                return self._pem(name, serialization.PublicFormat.PKCS1)
            case "n":
                return self._modulus(name)
            case "n-text":
                return self.jwk(name)["n"].encode()
            case "jwks":
                return self._jwks()
        raise ValueError(f"{spec} is no secret")

    def sign(self, algorithm, key, data):
        """A signature in the form of JWS, or in one that JWS does not allow (`-der`, `-high-s`)."""
        if algorithm == "none":
            return b""
        digest = _HASHES.get(algorithm[2:5], hashes.SHA256)()
        if algorithm.startswith("HS"):
            mac = hmac.HMAC(self._shared_secret(key), digest)
            mac.update(data)
            return mac.finalize()
        private = self._private[key]
        if isinstance(private, ed25519.Ed25519PrivateKey):
            return private.sign(data)
        if isinstance(private, ec.EllipticCurvePrivateKey):
            return _ecdsa_form(algorithm, private.sign(data, ec.ECDSA(digest)))
        scheme = padding.PKCS1v15()
        if algorithm.startswith("PS"):
            scheme = padding.PSS(padding.MGF1(digest), digest.digest_size)
        return private.sign(data, scheme, digest)


def _generate(kind):
    match kind:
        case "rsa":
            return rsa.generate_private_key(65537, 2048)
        case "ec":
            return ec.generate_private_key(ec.SECP256R1())
        case "ed":
            return ed25519.Ed25519PrivateKey.generate()
    raise ValueError(f"{kind} is no kind of key")


def _write(folder, name, data):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def _ecdsa_form(algorithm, der):
    if algorithm.endswith("-der"):
        return der
    r, s = decode_dss_signature(der)
    if algorithm.endswith("-high-s"):
        s = max(s, _P256_ORDER - s)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def carry(vector, keys, now):
    """The header lines that carry the tokens of a vector, and the tokens."""
    named = {}
    for suffix, recipe in (("", vector["token"]), ("2", vector.get("second"))):
        if recipe is not None:
            for name, part in zip("hcs", _parts(recipe, keys, now)):
                named[name + suffix] = part

    def filled(text):
        raw = expand(text) if isinstance(text, list) else text.encode("latin-1")
        return re.sub(rb"\{([a-z0-9]+)\}", lambda found: named[found[1].decode()], raw)

    named["t"] = filled(vector.get("form", "{h}.{c}.{s}"))
    if vector.get("second"):
        named["t2"] = filled("{h2}.{c2}.{s2}")
    by_gateway = vector["token"].get("base") == "gw"
    default = "X-Bkapi-JWT: {t}" if by_gateway else "Authorization: Bearer {t}"
    tokens = [named[name] for name in ("t", "t2") if name in named]
    return [filled(line) for line in vector.get("carry", [default])], tokens


def _parts(recipe, keys, now):
    """Header, claims and signature, each in Base64url."""
    header, claims, algorithm, key = _ORDINARY[recipe.get("base", "rs")]
    h = _json_text(recipe, "header", header, now, keys)
    c = _json_text(recipe, "claims", claims, now, keys)
    if recipe.get("align"):
        h, c = _with_spare_bits(h), _with_spare_bits(c)
    parts = {"h": _b64url(h), "c": _b64url(c)}
    for name, change in recipe.get("before", []):
        parts[name] = _changed(parts[name], change)
    sign = recipe.get("sign", {})
    data = parts["h"] + b"." + parts["c"]
    signature = keys.sign(sign.get("alg", algorithm), sign.get("key", key), data)
    parts["s"] = _b64url(signature)
    for name, change in recipe.get("after", []):
        parts[name] = _changed(parts[name], change)
    # Put in after signing.
    if "after_claims" in recipe:
        late = {**recipe, "claims": {**recipe.get("claims", {}), **recipe["after_claims"]}}
        parts["c"] = _b64url(_json_text(late, "claims", claims, now, keys))
    if "after_header" in recipe:
        late = {**recipe, "header": {**recipe.get("header", {}), **recipe["after_header"]}}
        parts["h"] = _b64url(_json_text(late, "header", header, now, keys))
    return parts["h"], parts["c"], parts["s"]


def _with_spare_bits(text):
    """Blanks, so that the last character of the Base64url has bits that carry nothing."""
    return text[:-1] + b" " * ((1 - len(text)) % 3) + text[-1:]


def _json_text(recipe, which, ordinary, now, keys):
    """The JSON text of the header or of the claims."""
    if which + "_text" in recipe:
        out = expand(recipe[which + "_text"])
    else:
        members = {**ordinary, **recipe.get(which, {})}
        left_out = recipe.get("drop_" + which, [])
        kept = {name: value for name, value in members.items() if name not in left_out}
        timed = _at(kept, now)
        out = json.dumps(timed, separators=(",", ":"), ensure_ascii=False).encode()
        if which + "_tail" in recipe:
            out = out[:-1] + expand(recipe[which + "_tail"]) + b"}"
    out = re.sub(rb"<now([+-]\d+)?>", lambda m: b"%d" % (now + int(m[1] or 0)), out)
    return re.sub(rb"<jwk:([\w-]+)>", lambda m: json.dumps(keys.jwk(m[1].decode())).encode(), out)


def _at(value, now):
    """The value with every `<now+N>` a number, and every `text:<now+N>` its decimal text."""
    if isinstance(value, dict):
        return {name: _at(member, now) for name, member in value.items()}
    if isinstance(value, list):
        return [_at(element, now) for element in value]
    time = re.fullmatch(r"(text:)?<now([+-]\d+)?>", value) if isinstance(value, str) else None
    if not time:
        return value
    number = now + int(time[2] or 0)
    return str(number) if time[1] else number


_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _changed(part, change):
    """One change of a Base64url part: of its text, or of the bytes behind it."""
    name, _, argument = change.partition(":")
    match name:
        case "spare":
            # Sets a bit that the last character has to spare.
            if len(part) % 4 not in (2, 3):
                raise ValueError("no bit to spare")
            return part[:-1] + _ALPHABET[_ALPHABET.index(part[-1:]) | 1 :][:1]
        case "pad":
            return part + b"=" * (-len(part) % 4)
        case "std":
            return base64.b64encode(_unb64url(part)).rstrip(b"=")
        case "text":
            return argument.encode("latin-1")
        case "insert":
            middle = len(part) // 2
            return part[:middle] + argument.encode("latin-1") + part[middle:]
    return _b64url(_changed_bytes(_unb64url(part), name, argument))


def _changed_bytes(raw, name, argument):
    match name:
        case "flip":
            at = int(argument) % len(raw)
            return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        case "cut":
            return raw[: -int(argument)]
        case "add":
            return raw + bytes(int(argument))
        case "lead":
            return bytes(int(argument)) + raw
        case "zero":
            return bytes(int(argument) if argument else len(raw))
        case "ones":
            return b"\xff" * len(raw)
        case "order":
            # ECDSA with r = s = n.
            return _P256_ORDER.to_bytes(32, "big") * 2
        case "reverse":
            return raw[::-1]
    raise ValueError(f"{name} is no change")
