"""s3: objects that appear or vanish in a bucket of any S3 store.

Not an upstream kind: `minio` only works with MinIO servers. The fields are those of `minio`, so that
a manifest can be changed by renaming the key.

Spec      EventSource.spec.s3.<eventName>
Payload   {notification, metadata}; notification is the list of S3 records, as for minio
Delivery  at least once: with `queue` a notification is deleted only after the bus has stored the event;
          else the bucket is listed again and again, and what was seen is stored with the event
Upstream  none
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import Problem, S3Bucket, S3Filter, SecretKeySelector, Strings, check_duration
from events.api.eventsource import SourceConfig, check_pair


class S3Config(SourceConfig):
    """One bucket."""

    endpoint: str = Field("", description="host:port of the store, without scheme; AWS when empty")
    bucket: S3Bucket = Field(description="bucket to watch")
    region: str = Field("", description="region of the bucket")
    insecure: bool = Field(False, description="plain HTTP instead of HTTPS")
    access_key: SecretKeySelector | None = Field(
        None, description="Secret key with the access key id; without it the default credentials are used"
    )
    secret_key: SecretKeySelector | None = Field(None, description="Secret key with the secret access key")
    session_token: SecretKeySelector | None = Field(None, description="Secret key with the session token")
    role_arn: str = Field("", alias="roleARN", description="role to assume")
    events: Strings = Field([], description="S3 event names, as in s3:ObjectCreated:*; that one when empty")
    filter: S3Filter | None = Field(None, description="object keys that count")
    ca_certificate: SecretKeySelector | None = Field(None, description="PEM trust roots of the connection")
    queue: str = Field("", description="SQS queue that the bucket notifies; the bucket is listed when empty")
    queue_account_id: str = Field("", description="AWS account of the queue; that of the login when empty")
    poll_interval: str = Field("", description="time between two listings, as in 1m; 30s when empty")

    def problems(self) -> Iterable[Problem]:
        """Both keys or none, event names, a duration."""
        yield from check_pair(self.access_key, self.secret_key, "accessKey", "secretKey")
        for index, name in enumerate(self.events):
            if not name.startswith(("s3:ObjectCreated:", "s3:ObjectRemoved:")):
                hint = "as in s3:ObjectCreated:* or s3:ObjectRemoved:*"
                yield Problem(f"events.{index}", f"unknown event {name!r}", hint, "choice")
        yield from check_duration(self.poll_interval, "pollInterval")
