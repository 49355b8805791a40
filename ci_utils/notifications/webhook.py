"""Webhooks: a signed POST of JSON.

Who gets one recomputes the signature over the body as it came, byte for byte,
and compares in constant time:

    UCI-Signature-256: sha256=HMAC-SHA256(secret, body) in hex
"""

from __future__ import annotations

import hashlib
import hmac

import requests

from ci_utils.errors import Unavailable

TIMEOUT_SECONDS = 10


def signature(body: bytes, secret: str) -> str:
    """The value of the header that signs a body."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def post(url: str, body: bytes, *, secret: str, delivery: str, event: str) -> None:
    """Tell one URL; `Unavailable` unless it answers with 2xx. Redirections are not followed."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "uci-engine",
        "UCI-Event": event,
        "UCI-Delivery": delivery,
        "UCI-Signature-256": signature(body, secret),
    }
    with requests.Session() as session:
        session.trust_env = False
        try:
            response = session.post(
                url, data=body, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=True
            )
            response.close()
        except requests.RequestException as error:
            raise Unavailable("the webhook does not answer") from error
    if not 200 <= response.status_code < 300:
        raise Unavailable(f"the webhook answered with status {response.status_code}")
