"""Notifications in every envelope, as one form of record."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from events.clients.s3_records import Wanted, record_id, records

DIRECT: dict[str, Any] = {
    "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-west-2",
    "eventTime": "1970-01-01T00:00:00.000Z", "eventName": "ObjectCreated:Put",
    "userIdentity": {"principalId": "AIDAJDPLRKLG7UEXAMPLE"},
    "requestParameters": {"sourceIPAddress": "127.0.0.1"},
    "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810"},
    "s3": {
        "s3SchemaVersion": "1.0", "configurationId": "testConfigRule",
        "bucket": {"name": "b", "ownerIdentity": {"principalId": "A3NL1KO"}, "arn": "arn:aws:s3:::b"},
        "object": {
            "key": "in/H%C3%A4ppy+Face%2B.jpg", "size": 1024, "eTag": "d41d8cd98f00b204e9800998ecf8427e",
            "versionId": "096fKKXTRTtl3on89fVO.nfljtsv6qko", "sequencer": "0055AED6DCD90281E5",
        },
    },
}  # fmt: skip

BRIDGE: dict[str, Any] = {
    "version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": "Object Created",
    "source": "aws.s3", "account": "111122223333", "time": "2021-11-12T00:00:00Z", "region": "ca-central-1",
    "resources": ["arn:aws:s3:::b"],
    "detail": {
        "version": "0", "bucket": {"name": "b"},
        "object": {
            "key": "in/Häppy Face+.jpg", "size": 5, "etag": "b1946ac92492d2347c6235b4d2611184",
            "version-id": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e", "sequencer": "617f08299329d189",
        },
        "request-id": "N4N7GDK58NMKJ12R", "requester": "123456789012", "source-ip-address": "1.2.3.4",
        "reason": "PutObject",
    },
}  # fmt: skip

KEY = "in/Häppy Face+.jpg"


def text(tree: Any) -> str:
    return orjson.dumps(tree).decode()


def through_sns(inner: Any) -> str:
    return text({"Type": "Notification", "MessageId": "m", "TopicArn": "t", "Message": text(inner)})


def bridge(kind: str, **detail: Any) -> dict[str, Any]:
    return {**BRIDGE, "detail-type": kind, "detail": {**BRIDGE["detail"], **detail}}


@pytest.mark.parametrize("wrap", [text, through_sns])
def test_a_record_of_s3_keeps_all_and_gets_the_key_decoded(wrap: Any):
    (record,) = records(wrap({"Records": [DIRECT]}))
    thing = record["s3"]["object"]
    assert (thing["key"], thing["rawKey"]) == (KEY, "in/H%C3%A4ppy+Face%2B.jpg")
    assert record["eventName"] == "s3:ObjectCreated:Put"
    assert record == {
        **DIRECT,
        "eventName": "s3:ObjectCreated:Put",
        "s3": {**DIRECT["s3"], "object": {**DIRECT["s3"]["object"], "key": KEY, "rawKey": thing["rawKey"]}},
    }


@pytest.mark.parametrize("wrap", [text, through_sns])
def test_an_event_of_event_bridge_becomes_the_record_that_s3_would_have_sent(wrap: Any):
    (record,) = records(wrap(BRIDGE))
    assert record == {
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "ca-central-1",
        "eventTime": "2021-11-12T00:00:00Z", "eventName": "s3:ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0", "bucket": {"name": "b", "arn": "arn:aws:s3:::b"},
            "object": {
                "key": KEY, "rawKey": "in/H%C3%A4ppy+Face%2B.jpg", "size": 5,
                "eTag": "b1946ac92492d2347c6235b4d2611184", "versionId": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
                "sequencer": "617f08299329d189",
            },
        },
        "userIdentity": {"principalId": "123456789012"},
        "requestParameters": {"sourceIPAddress": "1.2.3.4"},
        "responseElements": {"x-amz-request-id": "N4N7GDK58NMKJ12R"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "detail", "name"),
    [
        ("Object Created", {"reason": "CompleteMultipartUpload"}, "ObjectCreated:CompleteMultipartUpload"),
        ("Object Created", {"reason": "CopyObject"}, "ObjectCreated:Copy"),
        ("Object Created", {"reason": "something new"}, "ObjectCreated:Put"),
        (
            "Object Deleted",
            {"reason": "DeleteObject", "deletion-type": "Permanently Deleted"},
            "ObjectRemoved:Delete",
        ),
        (
            "Object Deleted",
            {"reason": "DeleteObject", "deletion-type": "Delete Marker Created"},
            "ObjectRemoved:DeleteMarkerCreated",
        ),
        (
            "Object Deleted",
            {"reason": "Lifecycle Expiration", "deletion-type": "Delete Marker Created"},
            "LifecycleExpiration:DeleteMarkerCreated",
        ),
        ("Object Deleted", {"reason": "Lifecycle Expiration"}, "LifecycleExpiration:Delete"),
        ("Object Restore Completed", {}, "ObjectRestore:Completed"),
        ("Object Tags Added", {}, "ObjectTagging:Put"),
    ],
)
def test_names_of_event_bridge(kind: str, detail: dict[str, Any], name: str):
    (record,) = records(text(bridge(kind, **detail)))
    assert record["eventName"] == f"s3:{name}"


def test_several_records_and_none():
    other = {**DIRECT, "eventName": "s3:ObjectRemoved:Delete"}
    names = [record["eventName"] for record in records(text({"Records": [DIRECT, other]}))]
    assert names == ["s3:ObjectCreated:Put", "s3:ObjectRemoved:Delete"]
    assert records(text({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"})) == []
    assert records(through_sns({"Service": "Amazon S3", "Event": "s3:TestEvent"})) == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{no", "is not JSON"),
        ("[]", "is not a JSON object"),
        ("{}", "is no notification"),
        (text({"Records": 1}), "is no notification"),
        (text({"Records": [{}]}), "is no notification"),
        (text({"Records": [{"s3": {"object": {"key": 1}}}]}), "is no notification"),
        (text({**BRIDGE, "detail": None}), "is no notification"),
        (text({"Type": "Notification", "Message": "hello"}), "is not JSON"),
    ],
)
def test_what_is_none(body: str, reason: str):
    with pytest.raises(ValueError, match=reason):
        records(body)


def test_the_id_is_that_of_the_change_and_of_nothing_else():
    (record,) = records(text({"Records": [DIRECT]}))
    (again,) = records(through_sns({"Records": [{**DIRECT, "responseElements": {}}]}))
    assert record_id(record) == record_id(again)
    for change in ({"key": "other"}, {"versionId": "v2"}, {"sequencer": "1"}):
        changed = {**DIRECT, "s3": {**DIRECT["s3"], "object": {**DIRECT["s3"]["object"], **change}}}
        assert record_id(*records(text({"Records": [changed]}))) != record_id(record)
    assert len(record_id(record)) == 32


@pytest.mark.parametrize(
    ("wanted", "covered"),
    [
        (Wanted("b", ("s3:ObjectCreated:*",)), True),
        (Wanted("b", ("s3:ObjectCreated:Put",), "in/", ".jpg"), True),
        (Wanted("b", ("s3:ObjectRemoved:*", "s3:ObjectCreated:Put")), True),
        (Wanted("b", ("s3:ObjectRemoved:*",)), False),
        (Wanted("b", ("s3:ObjectCreated:*",), prefix="out/"), False),
        (Wanted("b", ("s3:ObjectCreated:*",), suffix=".png"), False),
        (Wanted("c", ("s3:ObjectCreated:*",)), False),
    ],
)
def test_what_counts(wanted: Wanted, covered: bool):
    (record,) = records(text({"Records": [DIRECT]}))
    assert wanted.covers(record) is covered
