"""file: changes of files in a folder of this machine.

Spec      EventSource.spec.file.<eventName>
Payload   {name, op, metadata}; op is a bit mask: CREATE 1, WRITE 2, REMOVE 4, RENAME 8, CHMOD 16; name is the
          whole path, with polling the base name
Delivery  at least once: what was seen of the folder is stored with the events, and what changed while the
          source was down is told when it starts again. Files that are there at the first start are not told;
          a folder that is not there then is taken for an empty one
Settling  CREATE and WRITE come once the file has kept its size and time for `settleDuration`
Library   watchfiles (extra `files`)
Upstream  pkg/eventsources/sources/file/start.go
"""

from __future__ import annotations

import asyncio
import os
import posixpath
import stat
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import ClassVar

from pydantic import Field

from events.aio import Group
from events.api.common import NonEmpty, Problem, check_duration
from events.api.eventsource import FilteredSourceConfig, WatchPath
from events.errors import Absent, Retryable
from events.sources._base import Emit, Replay, Source
from events.sources._folder import (
    OPERATIONS,
    Change,
    Entry,
    Ledger,
    Listing,
    empty_without,
    matcher,
    payload,
    seconds,
    tell,
)


class FileConfig(FilteredSourceConfig):
    """One kind of change in one folder."""

    event_type: NonEmpty = Field(description=f"one of {', '.join(OPERATIONS)}")
    watch_path_config: WatchPath = Field(description="which files count")
    polling: bool = Field(False, description="look at the folder again and again instead of being told")
    settle_duration: str = Field(
        "", description="time that a file has to stay as it is before CREATE and WRITE are told; 500ms when "
        "empty, 0s for at once [extension]",
    )  # fmt: skip

    def problems(self) -> Iterable[Problem]:
        """A change that can happen, a duration."""
        if self.event_type not in OPERATIONS:
            said = f"{self.event_type!r} never happens"
            yield Problem("eventType", said, f"one of {', '.join(OPERATIONS)}", "choice", "warning")
        yield from check_duration(self.settle_duration, "settleDuration")


SETTLE = 0.5
POLL_EVERY = 0.5
"""Seconds between two looks with polling."""

LOOK_AGAIN = 5.0
"""Seconds after which a folder is looked at without being told: network file systems tell nothing."""

RESTS = 3
"""Times that a look took until the next one: a large folder that never rests costs a quarter of a core."""


class FileSource(Source[FileConfig]):
    """Compares the folder with what was told of it, each time the system says that something changed."""

    kind: ClassVar[str] = "file"
    extra: ClassVar[str | None] = "files"
    requires: ClassVar[tuple[str, ...]] = ("watchfiles",)
    replay: ClassVar[Replay] = "cursor"
    leader_only: ClassVar[bool] = True

    async def run(self, emit: Emit) -> None:
        """Raises Retryable while the folder cannot be read, Permanent for a pattern that is wrong."""
        cfg, clock = self.cfg, asyncio.get_running_loop().time
        spec = cfg.watch_path_config
        settle = seconds(cfg.settle_duration, SETTLE) if cfg.event_type in {"CREATE", "WRITE"} else 0.0
        ledger = Ledger((spec.directory, spec.path, spec.path_regexp), matcher(spec), settle)
        ledger.restore(await self.ctx.cursor())
        async with empty_without(self.ctx, emit, ledger):
            await asyncio.to_thread(listed, spec.directory)
        async with self._woken() as woken:
            while True:
                woken.clear()
                began = clock()
                listing = await asyncio.to_thread(listed, spec.directory)
                step = await asyncio.to_thread(ledger.look, listing, clock(), self.ctx.now_ns())
                rest = RESTS * (clock() - began)
                if step is not None:
                    await tell(self.ctx, emit, ledger, step, self._event)
                self.ctx.ready()
                await asyncio.sleep(rest)
                await self._wait(woken, ledger.due(clock()))

    def _event(self, change: Change) -> bytes | None:
        cfg = self.cfg
        if change.operation != cfg.event_type:
            return None
        folder = posixpath.normpath(cfg.watch_path_config.directory)
        name = change.name if cfg.polling else posixpath.join(folder, change.name)
        return payload(name, change.operation, cfg.metadata)

    async def _wait(self, woken: Woken, due: float | None) -> None:
        pause = POLL_EVERY if self.cfg.polling else LOOK_AGAIN
        with suppress(TimeoutError):
            async with asyncio.timeout(pause if due is None else min(pause, due)):
                await woken.wait()
        if woken.error is not None:
            hint = "polling: true needs no help of the system"
            raise Retryable(f"cannot watch {self.cfg.watch_path_config.directory}: {woken.error}; {hint}")

    @asynccontextmanager
    async def _woken(self) -> AsyncIterator[Woken]:
        """Set when something may have changed; never with polling."""
        woken = Woken()
        tasks = Group(woken.failed)
        try:
            if not self.cfg.polling:
                tasks.start("watch", watch(self.cfg.watch_path_config.directory, woken))
                await asyncio.sleep(0)  # the watch stands before the first look
            yield woken
        finally:
            await tasks.aclose()


class Woken(asyncio.Event):
    """`error` is why nothing is told any more."""

    error: BaseException | None = None

    def failed(self, _: str, error: BaseException) -> None:
        self.error = error
        self.set()


async def watch(folder: str, woken: Woken) -> None:
    """Raises OSError, as when the system's watches are used up."""
    from watchfiles import awatch

    async for _ in awatch(folder, watch_filter=None, recursive=False, debounce=200, step=20):
        woken.set()


def listed(folder: str) -> Listing:
    """What lies in the folder, links not followed. Raises Retryable, Absent."""
    try:
        with os.scandir(folder) as found:
            return {entry.name: state for entry in found if (state := state_of(entry)) is not None}
    except FileNotFoundError as exc:
        hint = "make it, or change watchPathConfig.directory"
        raise Absent(f"folder {folder} does not exist: {hint}") from exc
    except NotADirectoryError as exc:
        raise Retryable(f"{folder} is not a folder: change watchPathConfig.directory") from exc
    except PermissionError as exc:
        raise Retryable(f"folder {folder} may not be read: give this user the rights r and x on it") from exc
    except OSError as exc:
        raise Retryable(f"cannot read folder {folder}: {exc.strerror}") from exc


def state_of(entry: os.DirEntry[str]) -> Entry | None:
    """None for what is gone already. Of a folder only its coming, going and mode count."""
    try:
        found = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        return Entry(found.st_ino, 0, 0, found.st_mode)
    return Entry(found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode)
