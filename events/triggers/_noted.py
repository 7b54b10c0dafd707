"""The firings that changed an object last, noted on it: a firing that is repeated changes nothing again."""

from __future__ import annotations

from typing import Any

from events.kube._base import Object

FIRINGS = "events-trigger/firings"
"""Annotation: ids of firings, newest first."""

REMEMBERED = 64
"""Firings, of 27 bytes each: as many as a trigger has in flight, all of which may change the object before
the one whose answer was lost is tried again.
"""


def noted(obj: Object, firing: str) -> Object:
    """A copy that remembers the firing."""
    meta = obj["metadata"]
    annotations = meta.get("annotations") or {}
    return {**obj, "metadata": {**meta, "annotations": {**annotations, FIRINGS: note(obj, firing)}}}


def changed_by(obj: Object, firing: str) -> bool:
    """Whether the firing has changed it before."""
    return firing in firings_of(obj)


def noting(obj: Object, firing: str) -> list[dict[str, Any]]:
    """The same as operations of a JSON patch: a Conflict if the object was changed in the meantime."""
    meta, text = obj["metadata"], note(obj, firing)
    place = f"/metadata/annotations/{FIRINGS.replace('/', '~1')}"
    return [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": meta.get("resourceVersion")},
        {"op": "add", "path": place, "value": text}
        if meta.get("annotations")
        else {"op": "add", "path": "/metadata/annotations", "value": {FIRINGS: text}},
    ]


def note(obj: Object, firing: str) -> str:
    return ",".join([firing, *firings_of(obj)][:REMEMBERED])


def firings_of(obj: Object) -> list[str]:
    annotations = obj["metadata"].get("annotations") or {}
    return [one for one in str(annotations.get(FIRINGS) or "").split(",") if one]
