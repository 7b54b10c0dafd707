"""`events send`: an event straight to the bus, or an HTTP delivery as a provider would make it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from events.cli._shared import (
    FAILED,
    OK,
    UNREACHABLE,
    USAGE,
    add_bus_name,
    add_data,
    add_namespace,
    add_output,
    ask,
    command,
    fail,
)
from events.cli._show import complain, say, show_json

EVENT = "events send event --source github --subject push --file push.json"
WEBHOOK = "events send webhook --url http://127.0.0.1:12000/orders --file order.json"
GITHUB = "events send github --secret demo-webhook-secret --file push.json"

TIMEOUT = 30.0
"""Seconds for the answer of a source."""


def register(commands: Any) -> None:
    summary = "send an event to the bus, or over HTTP to a source"
    parser = command(commands, "send", summary, f"{EVENT}\n{GITHUB}\n{WEBHOOK}")
    kinds = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    event = command(kinds, "event", "straight to the bus, past sources and their filters", EVENT, send_event)
    webhook = command(kinds, "webhook", "a POST to a webhook source", WEBHOOK, send_webhook)
    github = command(kinds, "github", "a signed delivery to a github source", GITHUB, send_github)
    for kind in (event, webhook, github):
        kind.add_argument("-f", "--file", default="-", help="JSON payload (default: stdin)")
        add_data(kind)
        add_output(kind)
    for kind in (webhook, github):
        kind.add_argument("--url", help="where to; found out from the running instance when absent")
    add_event(event)
    webhook.add_argument("--token", help="bearer token")
    github.add_argument("--event", default="push", help="X-GitHub-Event (default: push)")
    github.add_argument("--secret", help="webhook secret that the delivery is signed with")
    github.add_argument("--delivery", help="X-GitHub-Delivery; made up when absent")


def add_event(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", help="name of the EventSource (not with a CloudEvent in the file)")
    parser.add_argument("--subject", help="event name")
    parser.add_argument("--type", default="", help="kind of the event source")
    parser.add_argument("--id", help="id of the event; made up when absent")
    parser.add_argument(
        "--bus", default="default", help="name of the EventBus, or the URL of a bus (default: default)"
    )
    add_bus_name(parser)
    add_namespace(parser)


def read(file: str) -> bytes:
    """The payload. Raises Exit."""
    if file == "-":
        if sys.stdin.isatty():
            complain("reading the payload from the terminal; end it with Ctrl-D")
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as exc:
        fail(USAGE, f"cannot read {file}: {exc.strerror}")


# to the bus


def send_event(args: argparse.Namespace) -> int:
    event = cloud_event(args, read(args.file))
    found = ask(args, "publish", namespace=args.namespace, bus=args.bus, events=[event])
    if args.output == "json":
        show_json(found)
    else:
        one = found[0]
        say(f"{one['id']} {'was there already' if one['duplicate'] else 'stored'}")
    return OK


def cloud_event(args: argparse.Namespace, body: bytes) -> Any:
    """The file's own CloudEvent, or one around its payload."""
    import uuid

    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as exc:
        fail(USAGE, f"{args.file}: not JSON: {exc}")
    if isinstance(data, dict) and "specversion" in data:
        return data
    if not args.source or not args.subject:
        fail(USAGE, "--source and --subject say which dependency gets the event")
    return {
        "specversion": "1.0", "id": args.id or uuid.uuid4().hex, "source": args.source,
        "subject": args.subject, "type": args.type or "webhook", "data": data, "time": now(),
    }  # fmt: skip


def now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat()


# over HTTP


def send_webhook(args: argparse.Namespace) -> int:
    token = {"Authorization": f"Bearer {args.token}"} if args.token else {}
    return deliver(args, read(args.file), {"Content-Type": "application/json", **token})


def send_github(args: argparse.Namespace) -> int:
    body = read(args.file)
    return deliver(args, body, github_headers(args, body))


def github_headers(args: argparse.Namespace, body: bytes) -> dict[str, str]:
    import hmac
    import uuid

    headers = {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/events",
        "X-GitHub-Event": args.event,
        "X-GitHub-Delivery": args.delivery or str(uuid.uuid4()),
    }
    if args.secret:
        key = args.secret.encode(errors="surrogateescape")
        headers["X-Hub-Signature-256"] = "sha256=" + hmac.digest(key, body, "sha256").hex()
    return headers


def deliver(args: argparse.Namespace, body: bytes, headers: dict[str, str]) -> int:
    url = args.url or find_url(args)
    status, text = post(url, body, headers)
    delivery = headers.get("X-GitHub-Delivery")
    if args.output == "json":
        show_json({"url": url, "status": status, "answer": text, "delivery": delivery})
    else:
        stored = f"; `events explain {delivery}` follows it" if delivery and status == 200 else ""
        say(f"{url} answered {status} {text.strip()}{stored}")
    return OK if status < 300 else FAILED


def find_url(args: argparse.Namespace) -> str:
    """Of the only source of this kind that runs."""
    status = ask(args, "status")
    if not status.get("running", True):
        fail(UNREACHABLE, f"no instance runs on {status['data']}: start one, or say where to with --url")
    found = [one for one in status["sources"] if one["kind"] == args.what and one["address"]]
    if len(found) != 1:
        names = ", ".join(f"{one['name']} on {one['address']}" for one in found) or "none"
        fail(USAGE, f"say where to with --url; {args.what} sources that run: {names}")
    url: str = found[0]["address"]
    return url


def post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    """Status and text of the answer. Raises Exit."""
    import http.client
    from urllib.parse import urlsplit

    connection: http.client.HTTPConnection | None = None
    try:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            fail(USAGE, f"not a URL: {url}")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname, parts.port, timeout=TIMEOUT)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as exc:
        fail(UNREACHABLE, f"{url}: {exc or type(exc).__name__}")
    except ValueError as exc:  # a port, host or header value that cannot be sent
        fail(USAGE, f"cannot be sent to {url}: {exc}")
    finally:
        if connection is not None:
            connection.close()
