"""What the network says, in the words that a user would look for."""

from __future__ import annotations

import os
import ssl


def reason(error: BaseException) -> str:
    """Why something cannot be reached or listened on, without what libraries put around it.

    `Connection refused`; aiohttp says `Cannot connect to host h:80 ssl:default [Connect call failed ...]`.
    """
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    number = getattr(cause, "errno", None)
    if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) and number and number > 0:
        return os.strerror(number)
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
