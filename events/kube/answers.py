"""What the API server's answers mean: errors told apart, with the server's own words.

Spec      kubernetes.io: API conventions, "Response Status Kind"
"""

from __future__ import annotations

from typing import Any

import orjson

from events.clients.http import retry_after
from events.clients.network import reason
from events.errors import EventsError, Permanent, Retryable, shorten
from events.kube._base import Conflict, Expired, Forbidden, Invalid, NotFound

MESSAGE = 1000
"""Characters of the server's message that are kept; admission webhooks can be wordy."""

HINTS = {
    401: "the credentials are not accepted: log in again or renew the token",
    403: "grant it with a Role and a RoleBinding",
}


def error_of(status: int, body: bytes, host: str, after: str = "", account: str = "") -> EventsError:
    """The error behind a status of 400 and above; `after` is the Retry-After header."""
    told = status_object(body)
    said = str(told.get("message") or "") or body[:MESSAGE].decode(errors="replace")
    return told_error(status, told, said, f"API server {host}", after, account)


def status_error(told: dict[str, Any], host: str) -> EventsError:
    """The error in a Status object, as a watch has it."""
    code = told.get("code")
    return told_error(
        code if isinstance(code, int) else 500, told, str(told.get("message")), f"API server {host}"
    )


def told_error(
    status: int, told: dict[str, Any], said: str, server: str, after: str = "", account: str = ""
) -> EventsError:
    text = f"{server}: {shorten(said, MESSAGE) or f'status {status}'}"
    if status in HINTS:
        text += f" ({account}: {HINTS[status]})" if account else f" ({HINTS[status]})"
    if status == 404:
        return NotFound(text, detail(told, "name"))
    if TOO_LARGE in said:
        return Expired(text)
    if status == 429 or status >= 500:
        return Retryable(text, wish(told, after))
    return REFUSALS[status](text) if status in REFUSALS else Invalid(f"{text} (status {status})")


TOO_LARGE = "Too large resource version"
"""The server has not come so far: it was set up anew, or from a backup."""

REFUSALS: dict[int, type[Permanent]] = {401: Forbidden, 403: Forbidden, 409: Conflict, 410: Expired}


def status_object(body: bytes) -> dict[str, Any]:
    """A Status object; empty for anything else, as what a proxy says."""
    try:
        found = orjson.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.get("kind") == "Status" else {}


def detail(told: dict[str, Any], name: str) -> Any:
    details = told.get("details")
    return details.get(name) if isinstance(details, dict) else None


def wish(told: dict[str, Any], after: str) -> float | None:
    """Seconds that the server asks to wait."""
    if after.isdigit():
        return retry_after(after, 0)
    seconds = detail(told, "retryAfterSeconds")
    return float(seconds) if isinstance(seconds, int) else None


def unreachable(error: BaseException, host: str) -> Retryable:
    """A network error as ours."""
    if isinstance(error, TimeoutError):
        return Retryable(f"API server {host} did not answer in time")
    return Retryable(
        f"API server {host} cannot be reached: {reason(error)}; is the address right and the server up?"
    )
