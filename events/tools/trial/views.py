"""Requests as plain values, to show and to compare: secrets are references, never values."""

from __future__ import annotations

from typing import Any

import msgspec

from events.event import Request
from events.triggers._text import Body


def request_view(request: Request) -> dict[str, Any]:
    """All of a request. A body is shown as its text; bytes are base64."""
    view: dict[str, Any] = msgspec.to_builtins(request, str_keys=True)
    content = getattr(request, "content", None)
    if isinstance(content, Body) and content.exact is None:
        del view["content"]
        view["body" if hasattr(request, "body") else "payload"] = content.text
    return view


def object_view(request: Request) -> dict[str, Any] | None:
    """The Kubernetes object of a request, None for triggers that have none."""
    found = request_view(request).get("object")
    return found if isinstance(found, dict) else None


def summary(request: Request) -> str:
    """What would be done, on one line."""
    view = request_view(request)
    found = view.get("object")
    if isinstance(found, dict):
        meta = found.get("metadata") or {}
        place = "/".join(filter(None, (meta.get("namespace"), meta.get("name"))))
        return " ".join(filter(None, (view.get("operation", "create"), found.get("kind"), place)))
    if "fetch" in view:
        return f"{view['config'].get('operation') or 'create'} from source {next(iter(view['fetch']))}"
    if "url" in view:
        return f"{view.get('method', '')} {view['url']}".strip()
    return type(request).__name__.removesuffix("Request")


def creates(request: Request) -> bool:
    """Whether the request is to create its object: then the object says everything."""
    return object_view(request) is not None and getattr(request, "operation", "create") == "create"
