"""GitHub's refusals: what passes, and what does not."""

from __future__ import annotations

import pytest
from aiohttp import web

from events.clients.github import GitHub, fixed_token
from events.clients.http import Sessions
from events.errors import Permanent, Retryable
from events.testing.triggers import Target, serving


@pytest.mark.parametrize(
    ("status", "headers", "after"),
    [
        (403, {"Retry-After": "7", "X-RateLimit-Remaining": "4000"}, 7.0),  # the secondary rate limit
        (403, {"X-RateLimit-Remaining": "0"}, None),
        (429, {}, None),
        (502, {}, None),
    ],
)
async def test_what_passes(status: int, headers: dict[str, str], after: float | None):
    error = await refusal(status, headers)
    assert isinstance(error, Retryable)
    assert error.after == after


async def test_what_stays():
    assert isinstance(await refusal(403, {"X-RateLimit-Remaining": "10"}), Permanent)


async def refusal(status: int, headers: dict[str, str]) -> Permanent | Retryable:
    target, sessions = Target(), Sessions("off")
    target.answers = [web.json_response({"message": "so it is"}, status=status, headers=headers)]
    try:
        async with serving(target.handle) as url:
            with pytest.raises((Permanent, Retryable), match="so it is") as caught:
                await GitHub(sessions.get(), url, fixed_token("t")).call("GET", "repos/a/b/hooks")
    finally:
        await sessions.aclose()
    return caught.value
