"""Amazon SNS for tests: envelopes signed with a certificate of one's own, and the host that serves it.

The host is reached under Amazon's name: `session` asks nobody where that is.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from events.clients.sns import signed_text
from events.testing.certificates import Authority

TOPIC = "arn:aws:sns:us-east-1:123456789012:orders"
HOST = "sns.us-east-1.amazonaws.com"
CERTIFICATE = f"https://{HOST}/SimpleNotificationService-abc.pem"


class Signer:
    """Makes what SNS sends."""

    def __init__(self, days: int = 30) -> None:
        """The certificate is valid for so many days; less than 0: it has expired."""
        self._key = rsa.generate_private_key(65537, 2048)
        name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)]), datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=90))
            .not_valid_after(now + timedelta(days=days))
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = made.public_bytes(serialization.Encoding.PEM)

    def notification(self, version: str = "2", **given: Any) -> dict[str, Any]:
        """Members of None are left out."""
        message = {
            "Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": TOPIC,
            "Message": "Hello", "Timestamp": "2026-07-18T00:54:06.655Z", **given,
        }  # fmt: skip
        return self.signed(message, version)

    def confirmation(self, **given: Any) -> dict[str, Any]:
        message = {
            "Type": "SubscriptionConfirmation", "MessageId": "165545c9", "Token": "2336412f37",
            "TopicArn": TOPIC,
            "Message": "You have chosen to subscribe.", "Timestamp": "2026-07-18T00:54:06.655Z",
            "SubscribeURL": f"https://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37",
            **given,
        }  # fmt: skip
        return self.signed(message)

    def signed(self, message: dict[str, Any], version: str = "2") -> dict[str, Any]:
        algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()  # noqa: S303 - version 1 is of SHA-1
        signature = self._key.sign(signed_text(message), padding.PKCS1v15(), algorithm)
        return {
            **message, "SignatureVersion": version, "Signature": b64encode(signature).decode(),
            "SigningCertURL": CERTIFICATE,
        }  # fmt: skip


class Amazon(AbstractResolver):
    """The host that serves certificates and takes confirmations: every name leads to it."""

    def __init__(self, certificate: bytes) -> None:
        self.certificate, self.status, self.port = certificate, 200, 0
        self.asked: list[str] = []
        self.hold = asyncio.Event()
        self.hold.set()

    async def handle(self, request: web.BaseRequest) -> web.Response:
        self.asked.append(f"https://{request.host}{request.path_qs}")
        await self.hold.wait()
        body = self.certificate if request.path.endswith(".pem") else b"<ConfirmSubscriptionResponse/>"
        return web.Response(status=self.status, body=body, headers={"Location": "https://elsewhere.test/"})

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=self.port, family=socket.AF_INET, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        """Nothing to close."""


@asynccontextmanager
async def amazon(signer: Signer, folder: Path) -> AsyncIterator[tuple[Amazon, aiohttp.ClientSession]]:
    """The host at work, and a session that finds it and trusts its TLS certificate."""
    authority, host = Authority(), Amazon(signer.certificate)
    runner = web.ServerRunner(web.Server(host.handle), shutdown_timeout=0.1)
    await runner.setup()
    context = authority.server_context(folder, name=HOST)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    host.port = runner.addresses[0][1]
    trusting = ssl.create_default_context(cadata=authority.cert)
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=host, ssl=trusting))
    try:
        yield host, session
    finally:
        await session.close()
        await runner.cleanup()
