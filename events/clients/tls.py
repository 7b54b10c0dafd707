"""TLS settings of manifests, as references that requests carry and as contexts that clients use."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import msgspec

from events.clients.http import tls_context
from events.clients.secrets import Ref, Secrets, secret

if TYPE_CHECKING:
    from events.api.common import TLS


class TlsRefs(msgspec.Struct, frozen=True):
    """What a TLS struct of a manifest asks for, without the secrets themselves. Usable as a pool key."""

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


async def context_of(refs: TlsRefs, secrets: Secrets) -> ssl.SSLContext:
    """Raises Permanent: a secret that is missing, a certificate that cannot be used."""

    async def text(ref: Ref | None) -> str | None:
        return None if ref is None else await secrets.read(ref)

    return tls_context(
        verify=refs.verify, ca=await text(refs.ca), cert=await text(refs.cert), key=await text(refs.key)
    )
