"""Amazon SNS over HTTP: envelopes, their signatures, the answer to a subscription.

Signature     RSA PKCS#1 v1.5 over the members that the SNS developer guide lists ("Verifying the signatures
              of Amazon SNS messages"): version 1 with SHA-1, version 2 with SHA-256
Certificate   fetched from sns.REGION.amazonaws.com[.cn] over HTTPS only, whose TLS vouches for it; kept
Library       cryptography (extra `aws`)
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64decode
from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

from events.clients.http import first_bytes, refusal, shown
from events.clients.network import reason
from events.errors import EventsError, Permanent, Retryable

if TYPE_CHECKING:
    import aiohttp
    from cryptography.x509 import Certificate

NOTIFICATION = "Notification"
_SIGNED: Final = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    **dict.fromkeys(
        ("SubscriptionConfirmation", "UnsubscribeConfirmation"),
        ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
}
"""Members that are signed, by type; Subject is left out where there is none."""

HOST: Final = re.compile(r"sns\.[a-z0-9-]{3,}\.amazonaws\.com(\.cn)?")

LONGEST_CERTIFICATE, LONGEST_ANSWER = 65_536, 65_536
"""Bytes."""

ANSWERS_WITHIN = 10.0
"""Seconds."""

KEPT = 16
"""Certificates; Amazon has one per region, and a new one each year."""


class Untrusted(EventsError):
    """A message that does not prove where it comes from; the text says why."""


def check_address(url: str, what: str) -> str:
    """The URL as it is, if it is one of Amazon SNS. Raises Untrusted."""
    try:
        parts = urlsplit(url)
        fine = (
            parts.scheme == "https" and parts.netloc == parts.hostname and bool(HOST.fullmatch(parts.netloc))
        )
    except ValueError:
        fine = False
    if not fine or not url.isascii() or re.search(r"[\s\\]", url):
        raise Untrusted(f"{what} is not at sns.REGION.amazonaws.com")
    return url


def signed_text(envelope: dict[str, Any]) -> bytes:
    """What the signature of an envelope is over. Raises Untrusted."""
    names = _SIGNED.get(envelope.get("Type", ""))
    if names is None:
        raise Untrusted("the message has no type that SNS signs")
    present = [name for name in names if name != "Subject" or envelope.get(name) is not None]
    values = [envelope.get(name) for name in present]
    if not all(isinstance(value, str) for value in values):
        raise Untrusted("the message lacks members that SNS signs")
    return "".join(f"{name}\n{value}\n" for name, value in zip(present, values, strict=True)).encode()


class Certificates:
    """Signing certificates by URL, fetched when they are first needed."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._kept: OrderedDict[str, Certificate] = OrderedDict()
        self._fetching = asyncio.Lock()

    async def verify(self, envelope: dict[str, Any]) -> None:
        """Raises Untrusted; Retryable while the certificate cannot be had."""
        text = signed_text(envelope)
        url = envelope.get("SigningCertURL")
        certificate = await self._get(check_address(url if isinstance(url, str) else "", "the certificate"))
        if certificate.not_valid_after_utc < datetime.now(UTC):
            raise Untrusted("the certificate has expired")
        check_signature(certificate, envelope, text)

    async def _get(self, url: str) -> Certificate:
        """One fetch at a time; whose certificate is known does not wait for those of others."""
        if url not in self._kept:
            async with self._fetching:
                if url not in self._kept:
                    self._kept[url] = certificate_of(await fetch(self._session, url, LONGEST_CERTIFICATE))
        self._kept.move_to_end(url)
        found = self._kept[url]
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found


def certificate_of(pem: bytes) -> Certificate:
    """Raises Untrusted."""
    from cryptography.x509 import load_pem_x509_certificate

    try:
        return load_pem_x509_certificate(pem)
    except ValueError as exc:
        raise Untrusted("the certificate cannot be read") from exc


def check_signature(certificate: Certificate, envelope: dict[str, Any], text: bytes) -> None:
    """Raises Untrusted."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256

    known = {"1": SHA1, "2": SHA256}
    algorithm = known.get(str(envelope.get("SignatureVersion")))
    key = certificate.public_key()
    if algorithm is None or not isinstance(key, RSAPublicKey):
        raise Untrusted("the signature is of a version that is not known")
    try:
        key.verify(b64decode(str(envelope.get("Signature")), validate=True), text, PKCS1v15(), algorithm())
    except (InvalidSignature, ValueError) as exc:
        raise Untrusted("the signature is wrong") from exc


async def confirm(session: aiohttp.ClientSession, envelope: dict[str, Any], topic: str) -> None:
    """Confirm the subscription to this topic, and no other. Raises Untrusted, Retryable, Permanent."""
    asked = check_address(str(envelope.get("SubscribeURL")), "SubscribeURL")
    query = {"Action": "ConfirmSubscription", "TopicArn": topic, "Token": str(envelope.get("Token"))}
    await fetch(session, f"https://{urlsplit(asked).netloc}/?{urlencode(query)}", LONGEST_ANSWER)


async def fetch(session: aiohttp.ClientSession, url: str, limit: int) -> bytes:
    """The page, `limit` bytes at most. Raises Retryable, Permanent."""
    import aiohttp

    try:
        async with asyncio.timeout(ANSWERS_WITHIN), session.get(url, allow_redirects=False) as answer:
            if answer.status != 200:
                failure = Retryable if answer.status >= 500 or answer.status == 429 else Permanent
                raise failure(f"{shown(url)} answers {answer.status}")
            return await first_bytes(answer, limit)
    except TimeoutError as exc:
        raise Retryable(f"{shown(url)}: no answer within {ANSWERS_WITHIN:.0f} s") from exc
    except (aiohttp.ClientError, OSError) as exc:
        failure = Permanent if refusal(exc) else Retryable
        raise failure(f"{shown(url)}: {refusal(exc) or reason(exc)}") from exc
