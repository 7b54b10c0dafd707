"""TLS settings of manifests, as references that requests carry and as contexts that clients use."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from events.clients.http import Sessions, tls_context
from events.clients.secrets import Ref, Secrets, secret

if TYPE_CHECKING:
    import aiohttp

    from events.api.common import TLS


class TlsRefs(msgspec.Struct, frozen=True):
    """What a TLS struct of a manifest asks for, without the secrets themselves."""

    verify: bool = True
    ca: Ref | None = None
    cert: Ref | None = None
    key: Ref | None = None

    @classmethod
    def of(cls, spec: TLS | None) -> TlsRefs | None:
        """None: nothing was asked for. `insecureSkipVerify` makes upstream ignore everything else."""
        if spec is None:
            return None
        if spec.insecure_skip_verify:
            return cls(verify=False)
        pair = spec.client_cert_secret is not None and spec.client_key_secret is not None
        return cls(
            True,
            secret(spec.ca_cert_secret) if spec.ca_cert_secret else None,
            secret(spec.client_cert_secret) if pair and spec.client_cert_secret else None,
            secret(spec.client_key_secret) if pair and spec.client_key_secret else None,
        )


class Pems(NamedTuple):
    """The PEM texts behind the references; None where there is no reference."""

    ca: str | None
    cert: str | None
    key: str | None

    def digest(self) -> bytes:
        return hashlib.sha256(msgspec.msgpack.encode(tuple(self))).digest()

    def __repr__(self) -> str:
        return "<Pems>"


async def read_pems(refs: TlsRefs, secrets: Secrets) -> Pems:
    """Raises Permanent for a secret that is missing."""
    ca, cert, key = [
        None if ref is None else await secrets.read(ref) for ref in (refs.ca, refs.cert, refs.key)
    ]
    return Pems(ca, cert, key)


async def make_context(refs: TlsRefs, pems: Pems) -> ssl.SSLContext:
    """In a thread: it reads the roots of the system. Raises Permanent."""
    return await asyncio.to_thread(tls_context, verify=refs.verify, ca=pems.ca, cert=pems.cert, key=pems.key)


async def context_of(refs: TlsRefs, secrets: Secrets) -> ssl.SSLContext:
    """Raises Permanent: a secret that is missing, a certificate that cannot be used."""
    return await make_context(refs, await read_pems(refs, secrets))


async def session_of(refs: TlsRefs | None, secrets: Secrets, sessions: Sessions) -> aiohttp.ClientSession:
    """The session with these TLS settings. Renewed certificates are used from the next request on.

    Raises Permanent as `context_of` does.
    """
    if refs is None:
        return sessions.get()
    pems = await read_pems(refs, secrets)
    key = (refs.verify, pems.digest())
    return sessions.get(key, None if sessions.known(key) else await make_context(refs, pems))
