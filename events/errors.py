"""The error tree: the class answers "whose fault" and "try again?".

EventsError
  ManifestError     the user's YAML; reported all at once; exit code 2
    UnknownKind     a kind that has no adapter (yet)
    MissingExtra    a kind whose client library is not installed
  ExpressionError   an expression, template, path or script that does not compile
  EvaluationError   this event cannot be transformed, filtered or parameterised; the next event goes on
  Retryable         the remote side is down, slow or throttling
    Absent          what is to be read is not there, and may come
    BusUnavailable  the bus cannot store or read now
      Refused       its servers do not let this user: passes when somebody grants what is missing
    BusFull         the bus has reached its limits with events that are not handled yet
  NotThere          what was asked for by name does not exist
  Permanent         refused for good: credentials, not found, too large, protocol mismatch
    TooLarge        an event larger than the bus takes
    Fenced          a write with an epoch that is no longer in force
    Damaged         a store that cannot be trusted: corrupt, of a newer version, of another shape
"""

from __future__ import annotations


class EventsError(Exception):
    """Root of all errors that this package raises on purpose. Its text is fit for a user."""


class ManifestError(EventsError):
    """A manifest that cannot be used. `file`, `line` (1-based) and `field` (dotted path) say where."""

    def __init__(
        self, message: str, *, file: str | None = None, line: int | None = None, field: str | None = None
    ) -> None:
        super().__init__(message)
        self.message, self.file, self.line, self.field = message, file, line, field

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        return ": ".join(part for part in (place, self.field, self.message) if part)


class UnknownKind(ManifestError):
    """A source or trigger kind that this version does not know or does not run."""


class MissingExtra(ManifestError):
    """A kind whose client library comes with an extra that is not installed."""

    def __init__(self, kind: str, extra: str, **place: str | int | None) -> None:
        super().__init__(f"{kind} needs an extra: pip install 'events-trigger[{extra}]'", **place)  # type: ignore[arg-type]
        self.kind, self.extra = kind, extra


class ExpressionError(EventsError):
    """Text in some language that does not compile. `position` is a 0-based offset into `expression`."""

    def __init__(self, message: str, expression: str, position: int | None = None) -> None:
        super().__init__(message)
        self.message, self.expression, self.position = message, expression, position

    def __str__(self) -> str:
        where = "" if self.position is None else f" at offset {self.position}"
        return f"{self.message}{where} in {shorten(self.expression)!r}"


class EvaluationError(EventsError):
    """This event cannot be evaluated. `expression` is what was evaluated, `dependency` whose it is."""

    def __init__(self, message: str, expression: str | None = None, dependency: str | None = None) -> None:
        super().__init__(message)
        self.message, self.expression, self.dependency = message, expression, dependency

    def __str__(self) -> str:
        text = self.message if self.expression is None else f"{self.message} in {shorten(self.expression)!r}"
        return text if self.dependency is None else f"dependency {self.dependency}: {text}"


class Retryable(EventsError):
    """The remote side cannot now. `after` is its own wish in seconds (Retry-After), if it named one."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class Absent(Retryable):
    """What is to be read is not there. It may come: what it holds then is new."""


class BusUnavailable(Retryable):
    """The bus cannot store or read now; nothing was accepted."""


class Refused(BusUnavailable):
    """The servers of the bus do not let this user do it; the text names what to grant.

    Once a bus is open it waits for that; opening it fails for good.
    """


class BusFull(Retryable):
    """The bus has reached its limits with events that are not handled yet; nothing was accepted."""


class NotThere(EventsError):
    """What a user asked for by name does not exist."""


class Permanent(EventsError):
    """Refused for good; trying again changes nothing."""


class TooLarge(Permanent):
    """An event larger than the bus takes. Sizes are bytes."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"event of {size} bytes is larger than the {limit} bytes that the bus takes")
        self.size, self.limit = size, limit


class Fenced(Permanent):
    """A write with an epoch that is no longer in force: somebody else holds the lease."""


class Damaged(Permanent):
    """A store that cannot be trusted: corrupt, written by a newer version, or not ours."""


def shorten(text: str, limit: int = 120) -> str:
    """The text on one line, cut to `limit` characters: error messages never carry whole payloads."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
