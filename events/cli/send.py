"""`events send`: an event straight to the bus, or an HTTP delivery as a provider would make it."""

from __future__ import annotations

import argparse
import http.client
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from events.cli._shared import (
    FAILED,
    OK,
    UNREACHABLE,
    USAGE,
    add_data,
    add_namespace,
    add_output,
    ask,
    command,
    fail,
    show_json,
)

EXAMPLE = """events send event --source github --subject push --file push.json
events send github --event push --secret SECRET --file push.json
events send webhook --url http://127.0.0.1:12000/orders --file order.json"""

TIMEOUT = 30.0


def register(commands: Any) -> None:
    parser = command(commands, "send", "send an event to the bus, or over HTTP to a source", EXAMPLE, run)
    kinds = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    event = add_kind(kinds, "event", "straight to the bus")
    event.add_argument("--source", help="name of the EventSource (not with a CloudEvent in the file)")
    event.add_argument("--subject", help="event name")
    event.add_argument("--type", default="", help="kind of the event source")
    event.add_argument("--id", help="id of the event; made up when absent")
    event.add_argument("--bus", default="default", help="name of the EventBus")
    add_namespace(event)
    webhook = add_kind(kinds, "webhook", "a POST to a webhook source")
    github = add_kind(kinds, "github", "a signed delivery to a github source")
    github.add_argument("--event", default="push", help="X-GitHub-Event (default: push)")
    github.add_argument("--secret", help="webhook secret that the delivery is signed with")
    github.add_argument("--delivery", help="X-GitHub-Delivery; made up when absent")
    webhook.add_argument("--token", help="bearer token")
    for one in (webhook, github):
        one.add_argument("--url", help="where to; found out from the running instance when absent")


def add_kind(kinds: Any, name: str, summary: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = kinds.add_parser(name, help=summary, description=summary)
    parser.add_argument("-f", "--file", default="-", help="JSON payload (default: stdin)")
    add_data(parser)
    add_output(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    body = sys.stdin.buffer.read() if args.file == "-" else read(Path(args.file))
    if args.what == "event":
        return send_event(args, body)
    headers = github_headers(args, body) if args.what == "github" else webhook_headers(args)
    url = args.url or find_url(args)
    status, text = post(url, body, headers)
    if args.output == "json":
        show_json({"url": url, "status": status, "answer": text})
    else:
        print(f"{status} {text.strip()}")
    return OK if status < 300 else FAILED


def read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as exc:
        fail(USAGE, f"cannot read {file}: {exc.strerror}")


def send_event(args: argparse.Namespace, body: bytes) -> int:
    event = cloud_event(args, body)
    found = ask(args, "publish", namespace=args.namespace, bus=args.bus, events=[event])
    if args.output == "json":
        show_json(found)
    else:
        one = found[0]
        print(f"{one['id']} {'was there already' if one['duplicate'] else 'stored'}")
    return OK


def cloud_event(args: argparse.Namespace, body: bytes) -> Any:
    """The file's own CloudEvent, or one around its payload."""
    import uuid

    try:
        data = json.loads(body)
    except ValueError as exc:
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
        headers["X-Hub-Signature-256"] = "sha256=" + hmac.digest(args.secret.encode(), body, "sha256").hex()
    return headers


def webhook_headers(args: argparse.Namespace) -> dict[str, str]:
    token = {"Authorization": f"Bearer {args.token}"} if args.token else {}
    return {"Content-Type": "application/json", **token}


def find_url(args: argparse.Namespace) -> str:
    """Of the only source of this kind that runs."""
    found = [one for one in ask(args, "status")["sources"] if one["kind"] == args.what and one["address"]]
    if len(found) != 1:
        names = ", ".join(one["name"] for one in found) or "none"
        fail(USAGE, f"say where to with --url: {args.what} sources that run: {names}")
    url: str = found[0]["address"]
    return url


def post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        fail(USAGE, f"not a URL: {url}")
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=TIMEOUT)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", target, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as exc:
        fail(UNREACHABLE, f"{url}: {exc}")
    finally:
        connection.close()
