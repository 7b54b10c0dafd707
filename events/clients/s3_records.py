"""Notifications about objects: out of every envelope they come in, in one form.

Forms      S3's own {Records}, inside an SNS envelope, as an EventBridge event, or as that inside of SNS
Record     as S3 and MinIO write them, with three changes: `eventName` always starts with `s3:`, `object.key`
           is the key itself, and `object.rawKey` beside it the key as S3 encodes it in notifications
Sources    "Event message structure" and "EventBridge event message structure" in the S3 user guide
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, NamedTuple
from urllib.parse import quote_plus, unquote_plus

import orjson

Record = dict[str, Any]


class Wanted(NamedTuple):
    """Which records count. `events` are names as in s3:ObjectCreated:*."""

    bucket: str
    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""

    def covers(self, record: Record) -> bool:
        """A record as `records` gives it."""
        bucket, thing = record["s3"]["bucket"]["name"], record["s3"]["object"]
        return (
            bucket == self.bucket and self.covers_key(thing["key"]) and self.covers_event(record["eventName"])
        )

    def covers_key(self, key: str) -> bool:
        return key.startswith(self.prefix) and key.endswith(self.suffix)

    def covers_event(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.events)


def records(body: str) -> list[Record]:
    """The records in the body of a message; none in a test message. Raises ValueError with the reason."""
    found = as_object(body)
    if found.get("Type") == "Notification" and isinstance(found.get("Message"), str):
        found = as_object(found["Message"])
    if found.get("Event") == "s3:TestEvent":
        return []
    try:
        if found.get("source") == "aws.s3":
            return [from_event_bridge(found)]
        return [*told(found["Records"])]
    except (KeyError, TypeError, AttributeError) as exc:
        raise ValueError("is no notification of S3, SNS or EventBridge") from exc


def as_object(text: str) -> dict[str, Any]:
    """Raises ValueError."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        raise ValueError("is not JSON") from exc
    if not isinstance(found, dict):
        raise ValueError("is not a JSON object")
    return found


def told(given: list[Record]) -> Iterator[Record]:
    """Records of S3 in our form. Raises KeyError, TypeError, AttributeError."""
    for record in given:
        raw = record["s3"]["object"]["key"]
        thing = {**record["s3"]["object"], "key": unquote_plus(raw), "rawKey": raw}
        yield {**record, "eventName": full_name(record["eventName"]), "s3": {**record["s3"], "object": thing}}


def full_name(name: str) -> str:
    """Amazon leaves out the `s3:` that MinIO and the settings of a bucket have."""
    return name if name.startswith("s3:") else f"s3:{name}"


NAMES = {
    ("Object Created", "PutObject"): "ObjectCreated:Put",
    ("Object Created", "POST Object"): "ObjectCreated:Post",
    ("Object Created", "CopyObject"): "ObjectCreated:Copy",
    ("Object Created", "CompleteMultipartUpload"): "ObjectCreated:CompleteMultipartUpload",
    ("Object Deleted", "Permanently Deleted"): "ObjectRemoved:Delete",
    ("Object Deleted", "Delete Marker Created"): "ObjectRemoved:DeleteMarkerCreated",
    ("Object Restore Initiated", ""): "ObjectRestore:Post",
    ("Object Restore Completed", ""): "ObjectRestore:Completed",
    ("Object Restore Expired", ""): "ObjectRestore:Delete",
    ("Object Tags Added", ""): "ObjectTagging:Put",
    ("Object Tags Deleted", ""): "ObjectTagging:Delete",
    ("Object ACL Updated", ""): "ObjectAcl:Put",
    ("Object Storage Class Changed", ""): "LifecycleTransition",
    ("Object Access Tier Changed", ""): "IntelligentTiering",
}
"""(detail-type, reason or kind of deletion) of EventBridge -> name of the same event in notifications."""

OTHERS = {"Object Created": "ObjectCreated:Put", "Object Deleted": "ObjectRemoved:Delete"}


def bridge_name(kind: str, detail: dict[str, Any]) -> str:
    """What S3 calls it in notifications."""
    if detail.get("reason") == "Lifecycle Expiration":
        marked = detail.get("deletion-type") == "Delete Marker Created"
        return f"s3:LifecycleExpiration:{'DeleteMarkerCreated' if marked else 'Delete'}"
    why = detail.get("deletion-type") or detail.get("reason") or ""
    name = NAMES.get((kind, why)) or NAMES.get((kind, "")) or OTHERS.get(kind) or kind
    return f"s3:{name}"


def from_event_bridge(event: dict[str, Any]) -> Record:
    """The record that S3 would have sent. Raises KeyError, TypeError, AttributeError."""
    detail = event["detail"]
    bucket, thing = detail["bucket"]["name"], detail["object"]
    names = {"size": "size", "etag": "eTag", "version-id": "versionId", "sequencer": "sequencer"}
    details = {ours: thing[theirs] for theirs, ours in names.items() if theirs in thing}
    made = made_record(
        bucket, thing["key"], bridge_name(event["detail-type"], detail), event["time"], details
    )
    made["awsRegion"] = event.get("region", "")
    made["userIdentity"] = {"principalId": detail.get("requester", "")}
    made["requestParameters"] = {"sourceIPAddress": detail.get("source-ip-address", "")}
    made["responseElements"] = {"x-amz-request-id": detail.get("request-id", "")}
    return made


def made_record(bucket: str, key: str, event: str, time: str, details: dict[str, Any]) -> Record:
    """A record in our form, about an object of which we know this much."""
    return {
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "", "eventTime": time,
        "eventName": event,
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
            "object": {"key": key, "rawKey": quote_plus(key, safe="/"), **details},
        },
    }  # fmt: skip


def record_id(record: Record) -> str:
    """The same for a notification that is delivered twice: hash of event, bucket, key, version, sequence."""
    thing = record["s3"]["object"]
    version = thing.get("versionId") or thing.get("eTag") or ""
    sequence = thing.get("sequencer") or record.get("eventTime") or ""
    told = [record["eventName"], record["s3"]["bucket"]["name"], thing["key"], str(version), str(sequence)]
    return hashlib.sha256(orjson.dumps(told)).hexdigest()[:32]
