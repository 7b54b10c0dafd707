"""minio: notifications about objects in a bucket of a MinIO server.

Spec      EventSource.spec.minio.<eventName>
Payload   {notification, metadata}; notification is the list of S3 records
Delivery  none: MinIO keeps nothing for a source that is away
Upstream  pkg/eventsources/sources/minio/start.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import NonEmpty, Problem, S3Bucket, S3Filter, SecretKeySelector, Strings
from events.api.eventsource import SourceConfig


class MinioConfig(SourceConfig):
    """One bucket."""

    endpoint: NonEmpty = Field(description="host:port of the server, without scheme")
    bucket: S3Bucket = Field(description="bucket to listen to")
    region: str = Field("", description="region of the bucket")
    insecure: bool = Field(False, description="plain HTTP instead of HTTPS")
    access_key: SecretKeySelector = Field(description="Secret key with the access key")
    secret_key: SecretKeySelector = Field(description="Secret key with the secret key")
    events: Strings = Field([], description="S3 event names, as in s3:ObjectCreated:*")
    filter: S3Filter | None = Field(None, description="object keys that count")
    ca_certificate: SecretKeySelector | None = Field(None, description="PEM trust roots of the connection")

    def problems(self) -> Iterable[Problem]:
        """No empty event names."""
        for index, name in enumerate(self.events):
            if not name:
                yield Problem(f"events.{index}", "is empty", "as in s3:ObjectCreated:*", "required")
