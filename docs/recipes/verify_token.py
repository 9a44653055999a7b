"""Checks one of Countersign's access tokens, offline, with PyJWT.

    python verify_token.py ISSUER AUDIENCE TOKEN

A good token: exit code 0, and its claims as JSON on standard output. Any other: exit code 1, and one line on standard error that
says why. Wrong usage: exit code 2. TOKEN may be `-`: then it is read from standard input, where other users of the machine do
not see it.

Needs `pip install 'pyjwt[crypto]>=2.15'`.
"""

import json
import sys
from urllib.parse import urlsplit

import jwt

# The verifier's own list. What the token says about itself only has to agree with it.
ALGORITHMS = ["EdDSA", "ES256"]
# How far two clocks may be apart.
LEEWAY_S = 30
TOKEN_CHARS = 8192
# RFC 9068 s2.2.
REQUIRED = ["iss", "sub", "aud", "client_id", "iat", "exp", "jti"]
# A token that brings its own key, or asks for rules that are not known here.
FORBIDDEN = {"crit", "jku", "jwk", "x5u", "x5c"}


class Refused(jwt.PyJWTError):
    """The token is not good."""


class Verifier:
    """Make one and keep it: it holds the issuer's keys for five minutes. Threads may share it."""

    def __init__(self, issuer: str, audience: str) -> None:
        url = urlsplit(issuer)
        local = url.hostname in ("localhost", "127.0.0.1", "::1")
        if not url.hostname or (url.scheme, local) not in [("https", False), ("https", True), ("http", True)]:
            raise ValueError("the issuer must be a URL with https, unless it is on this machine")
        self.issuer = issuer
        self.audience = audience
        # Fetches again at an unknown `kid`, but not more than every 30 seconds, so invented ones cost little.
        self.keys = jwt.PyJWKClient(f"{issuer}/.well-known/jwks.json", lifespan=300, timeout=5)

    def verify(self, token: str) -> dict:
        """The claims of a good token. Raises `jwt.PyJWTError` for any other."""
        if len(token) > TOKEN_CHARS:
            raise Refused("the token is too long")
        header = jwt.get_unverified_header(token)
        # PyJWT looks at `typ` only if told; RFC 9068 s4 wants it, without regard to case.
        if str(header.get("typ", "")).lower() not in ("at+jwt", "application/at+jwt"):
            raise Refused("the JWT is not an access token")
        if FORBIDDEN & header.keys():
            raise Refused("the header has a member that is not allowed")
        if not isinstance(header.get("kid"), str):
            raise Refused("the header names no key")
        # The key comes from the configured issuer, and is handed over with its own algorithm.
        key = self.keys.get_signing_key(header["kid"])
        return jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            issuer=self.issuer,
            audience=self.audience,
            leeway=LEEWAY_S,
            options={"require": REQUIRED},
        )


def main() -> int:
    """The command line."""
    if len(sys.argv) != 4:
        print("usage: verify_token.py ISSUER AUDIENCE TOKEN", file=sys.stderr)
        return 2
    issuer, audience, token = sys.argv[1:]
    if token == "-":
        token = sys.stdin.read(TOKEN_CHARS + 2).strip()
    try:
        claims = Verifier(issuer, audience).verify(token)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        # One line, whatever the token put into the message.
        reason = "".join(c for c in str(error) if c.isprintable())
        print("refused:", reason, file=sys.stderr)
        return 1
    print(json.dumps(claims))
    return 0


if __name__ == "__main__":
    sys.exit(main())
