"""The stream's events as HTTP requests: one POST an event, its JSON as on the stream.

Headers follow Standard Webhooks (https://www.standardwebhooks.com): `webhook-id`, the same at every try,
`webhook-timestamp` and, with a secret, `webhook-signature`: "v1," and the base64 of HMAC-SHA256 over
"ID.TIMESTAMP.BODY". `x-edge-app-age-ms` is the age of the capture as it is sent. What is not answered, or answered with
408, 429 or 5xx, is tried again, later and later, for GIVE_UP_S; order is kept.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import httpx

from edge_app import __version__
from edge_app.app.bridges import read_secret
from edge_app.app.bridges.outbox import Event, pass_on
from edge_app.app.log import log
from edge_app.errors import UsageError

SECRET_ENVIRONMENT = "EDGE_APP_WEBHOOK_SECRET"
TIMEOUT_S = 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S, GIVE_UP_S = 0.5, 15.0, 60.0
_AGAIN = (408, 429)


def bridge(
    endpoint: str, *, url: str, label: Sequence[str], updates: bool, secret_file: Path | None, max_age_ms: float
) -> NoReturn:
    """Send events for ever.

    Raises:
        UsageError: a malformed endpoint or URL, or a secret that cannot be read.
    """
    webhook = Webhook(
        url, read_secret("--secret-file", secret_file) if secret_file else os.environ.get(SECRET_ENVIRONMENT)
    )
    log.info(f"passing {endpoint} on to {webhook.place}")
    pass_on(endpoint, webhook.deliver, labels=label, updates=updates, max_age_ms=max_age_ms)


class Webhook:
    """One receiver.

    secret: of the signature; with "whsec_" before it, in base64. None: not signed.

    Raises:
        UsageError: the URL or the secret is malformed.
    """

    def __init__(self, url: str, secret: str | None) -> None:
        try:
            self._url = httpx.URL(url)
        except (httpx.InvalidURL, ValueError):
            raise UsageError("--url: not a URL; expected http://HOST/PATH or https://HOST/PATH") from None
        if self._url.scheme not in ("http", "https") or not self._url.host:
            raise UsageError("--url: expected http://HOST/PATH or https://HOST/PATH")
        self.place = f"{self._url.scheme}://{self._url.netloc.decode('ascii')}"
        self._key = _key(secret) if secret else b""
        self._client = httpx.Client(timeout=TIMEOUT_S, headers={"user-agent": f"edge-app/{__version__}"})

    def deliver(self, event: Event, stopping: threading.Event) -> None:
        """Send an event, again and again if need be."""
        body = json.dumps(event.data, separators=(",", ":")).encode()
        ident = hashlib.sha256(f"{event.topic}/".encode() + body).hexdigest()[:32]
        pause_s, until = FIRST_PAUSE_S, time.monotonic() + GIVE_UP_S
        while True:
            trouble, again, asked_s = self._try(ident, body, event)
            if not trouble:
                return
            wait_s = max(asked_s, pause_s * random.uniform(0.75, 1.0))
            if not again or time.monotonic() + wait_s > until or stopping.is_set():
                log.warning(f"dropped the {event}: {self.place}: {trouble}", extra={"kind": "dropped"})
                return
            log.info(f"{self.place}: {trouble}; trying again", extra={"kind": "webhook"})
            stopping.wait(wait_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _try(self, ident: str, body: bytes, event: Event) -> tuple[str, bool, float]:
        """What went wrong ("" for nothing), whether to try again, and how many seconds the receiver asks to wait."""
        stamp, age_ms = str(int(time.time())), event.age_now_ms()
        headers = {"content-type": "application/json", "webhook-id": ident, "webhook-timestamp": stamp}
        if age_ms is not None:
            headers["x-edge-app-age-ms"] = str(age_ms)
        if self._key:
            signed = hmac.new(self._key, f"{ident}.{stamp}.".encode() + body, hashlib.sha256).digest()
            headers["webhook-signature"] = f"v1,{base64.b64encode(signed).decode()}"
        try:
            with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
                code, later = answer.status_code, answer.headers.get("retry-after", "")
        except httpx.HTTPError as error:
            return str(error) or type(error).__name__, True, 0.0
        if 200 <= code < 300:
            return "", False, 0.0
        asked_s = float(later) if later.isascii() and later.isdigit() and len(later) < 6 else 0.0
        return f"answered {code}", code in _AGAIN or code >= 500, asked_s


def _key(secret: str) -> bytes:
    if not secret.startswith("whsec_"):
        return os.fsencode(secret)  # of the environment it may be any bytes
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        raise UsageError("the webhook's secret begins with whsec_, but is not base64") from None
