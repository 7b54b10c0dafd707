"""A rig that runs one trigger without sensor and bus, a target to call, the clauses that triggers keep."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, NoReturn

import msgspec
import orjson
import pytest
from aiohttp import web

from events.api.sensor import Trigger as TriggerSpec
from events.clients.http import Sessions
from events.clients.secrets import LocalSecrets, Ref
from events.errors import Permanent, Retryable
from events.event import Event, Firing, Outcome, Request, firing_id
from events.kube._base import Objects
from events.kube.local import LocalObjects
from events.registry import adapter_class
from events.triggers._base import Render, Shared, Trigger, TriggerContext
from events.triggers._compile import compile_render
from events.triggers._documents import Documents
from events.triggers._fetched import FetchRequest, completed, read_request

NOW = 1_700_000_000_000_000_000
DEPENDENCY = "dep"


class Rig:
    """Compiles, renders and fires. `secrets` keys are `name/key`, or `configmap:name/key`."""

    def __init__(
        self, folder: Path, secrets: Mapping[str, str] | None = None, objects: Objects | None = None
    ) -> None:
        self.secrets = {reference(name): text.encode() for name, text in (secrets or {}).items()}
        self.sessions = Sessions("off")
        self.objects = LocalObjects(folder / "objects.db")
        self._remote = objects
        self.now_ns = time.time_ns
        self.shared = Shared()
        self.documents = Documents(self.context())
        self._made: dict[str, Trigger[Any, Any]] = {}

    def context(self) -> TriggerContext:
        return TriggerContext(
            namespace="default", secrets=LocalSecrets(lambda: self.secrets, environ={}),
            sessions=self.sessions, shared=self.shared, objects=self._remote or self.objects,
            now_ns=lambda: self.now_ns(), log=logging.getLogger("events.triggers.test"),
        )  # fmt: skip

    def trigger(self, kind: str) -> Trigger[Any, Any]:
        if kind not in self._made:
            cls = adapter_class("triggers", kind)
            assert cls is not None
            self._made[kind] = cls(self.context())
        return self._made[kind]

    async def fire(self, kind: str, request: Request, firing: str = "f" * 26) -> Outcome:
        """As after a restart: the request goes through its stored form first."""
        request = stored(self.trigger(kind), request)
        if isinstance(request, FetchRequest):
            request = await completed(request, firing, self.documents)
        return await self.trigger(kind).fire(request, firing)

    async def run(
        self, kind: str, raw: Any, data: Any = None, parameters: Sequence[Any] = (), event: str = "e1"
    ) -> Outcome:
        """Render and fire once, for one event."""
        firing = firing_of(data, event)
        return await self.fire(kind, compiled(kind, raw, parameters)(firing), firing.id)

    async def aclose(self) -> None:
        await self.shared.aclose()
        await self.sessions.aclose()
        await self.objects.aclose()


def reference(text: str) -> Ref:
    name, _, key = text.removeprefix("configmap:").partition("/")
    return Ref(name, key, "configmap" if text.startswith("configmap:") else "secret")


@asynccontextmanager
async def rigged(
    secrets: Mapping[str, str] | None = None, objects: Objects | None = None
) -> AsyncIterator[Rig]:
    """A rig that is closed at the end. `objects`: of an API server, instead of its local store."""
    with TemporaryDirectory() as folder:
        rig = Rig(Path(folder), secrets, objects)
        await rig.objects.open()
        try:
            yield rig
        finally:
            await rig.aclose()


def compiled(kind: str, raw: Any, parameters: Sequence[Any] = ()) -> Render:
    """Raises ExpressionError."""
    spec = {"template": {"name": "trig", kind: raw}, "parameters": list(parameters)}
    return compile_render(TriggerSpec.model_validate(spec))


def firing_of(data: Any = None, event: str = "e1") -> Firing:
    """A firing for one event; `data` is bytes, or a value that becomes JSON."""
    body = data if isinstance(data, bytes) else orjson.dumps({} if data is None else data)
    one = Event(event, "src", "ev", "webhook", NOW, body)
    name = firing_id("default", "sens", "trig", "trigger", {DEPENDENCY: one.key})
    return Firing(name, "default", "sens", "trig", {DEPENDENCY: one}, NOW)


def rendered(kind: str, raw: Any, data: Any = None, parameters: Sequence[Any] = ()) -> Any:
    """The request for one event. Raises ExpressionError, EvaluationError."""
    return compiled(kind, raw, parameters)(firing_of(data))


def parameter(key: str, dest: str, **more: Any) -> dict[str, Any]:
    """A parameter that reads `key` of the event's data."""
    src = {"dependencyName": DEPENDENCY, "dataKey": key}
    src |= {name: more.pop(name) for name in ("useRawData", "value", "dataTemplate") if name in more}
    return {"src": src, "dest": dest, **more}


def stored(trigger: Trigger[Any, Any], request: Request) -> Any:
    """What a parked request is when it is read back."""
    return read_request(type(trigger), msgspec.msgpack.encode(request))


class Seen(NamedTuple):
    """A request as it came in. Header names are as they were sent."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        return [text for key, text in self.headers if key.lower() == name.lower()]


class Target:
    """An HTTP server that notes what it gets. `answers` are used up first, then it says 200."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.answers: list[web.StreamResponse] = []
        self.connections: set[Any] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.connections.add(request.transport)
        headers = [(name.decode(), text.decode()) for name, text in request.raw_headers]
        self.seen.append(Seen(request.method, request.path_qs, headers, await request.read()))
        return self.answers.pop(0) if self.answers else web.Response(text="ok")


@asynccontextmanager
async def serving(handler: Any, ssl_context: Any = None) -> AsyncIterator[str]:
    """An HTTP server on a free port; its URL."""
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl_context).start()
        scheme = "https" if ssl_context else "http"
        yield f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextmanager
def dead_port() -> Iterator[int]:
    """A port that refuses connections: it is bound and nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock.getsockname()[1]


def forbidden(*_: Any, **__: Any) -> NoReturn:
    raise AssertionError("rendering may not reach out")


class TriggerContract:
    """Clauses of every trigger. A subclass names its kind and gives a config for a target that works."""

    kind: str
    secrets: Mapping[str, str] = {}
    parameters: Sequence[Any] = ()
    data: bytes = b'{"text": "hello", "n": 7}'

    def target(self, rig: Rig) -> AbstractAsyncContextManager[Any]:
        """The config of a trigger whose target works."""
        raise NotImplementedError("a subclass starts its target")

    async def test_rendering_is_pure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with rigged(self.secrets) as rig, self.target(rig) as raw:
            render, anew = (compiled(self.kind, raw, self.parameters) for _ in range(2))
            firing = firing_of(self.data)
            with monkeypatch.context() as patched:
                for owner, name in (
                    (socket, "socket"),
                    (LocalSecrets, "read"),
                    (Path, "open"),
                    (time, "time_ns"),
                ):
                    patched.setattr(owner, name, forbidden)
                first = render(firing)
                assert first == render(firing) == anew(firing)

    async def test_a_request_survives_being_stored(self) -> None:
        async with rigged(self.secrets) as rig, self.target(rig) as raw:
            request = rendered(self.kind, raw, self.data, self.parameters)
            assert stored(rig.trigger(self.kind), request) == request

    async def test_secrets_are_nowhere_to_be_seen(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG, "events")
        async with rigged(self.secrets) as rig, self.target(rig) as raw:
            request = rendered(self.kind, raw, self.data, self.parameters)
            outcome = await rig.fire(self.kind, request)
            trigger = rig.trigger(self.kind)
            shown = caplog.text + repr(request) + repr(outcome) + repr(trigger) + repr(trigger.ctx)
            shown += msgspec.msgpack.encode(request).decode(errors="replace")
        for value in self.secrets.values():
            assert value not in shown

    async def test_a_firing_can_be_repeated(self) -> None:
        async with rigged(self.secrets) as rig, self.target(rig) as raw:
            await rig.run(self.kind, raw, self.data, self.parameters)
            await rig.run(self.kind, raw, self.data, self.parameters)


class RemoteContract(TriggerContract):
    """Clauses of triggers with a target on the network. `fired` tells the firing ids that arrived there."""

    def fired(self, rig: Rig) -> list[str]:
        raise NotImplementedError("a subclass tells what arrived")

    def aimed(self, raw: Any, port: int) -> Any:
        """The config with its target at another port of this machine."""
        raise NotImplementedError("a subclass changes the address")

    def hurry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make the trigger wait for half a second at the most."""
        raise NotImplementedError("a subclass shortens its limit")

    async def refusals(self, rig: Rig, raw: Any) -> Sequence[Any]:
        """Configs that the target refuses for good."""
        raise NotImplementedError("a subclass knows what its target refuses")

    async def test_the_firing_id_travels(self) -> None:
        async with rigged(self.secrets) as rig, self.target(rig) as raw:
            for event in ("e1", "e1", "e2"):
                await rig.run(self.kind, raw, self.data, self.parameters, event)
            one, other = firing_of(self.data, "e1").id, firing_of(self.data, "e2").id
            assert self.fired(rig) == [one, one, other]

    async def test_a_target_that_is_away_is_tried_again(self) -> None:
        async with rigged(self.secrets) as rig, self.target(rig) as raw:
            with dead_port() as port, pytest.raises(Retryable) as caught:
                await rig.run(self.kind, self.aimed(raw, port), self.data, self.parameters)
        self.check_text(str(caught.value))

    async def test_a_target_that_is_silent_is_tried_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hurry(monkeypatch)
        async with rigged(self.secrets) as rig, self.target(rig) as raw:
            with silent_port() as port, pytest.raises(Retryable) as caught:
                async with asyncio.timeout(10):
                    await rig.run(self.kind, self.aimed(raw, port), self.data, self.parameters)
        self.check_text(str(caught.value))

    async def test_a_refusal_is_permanent(self) -> None:
        async with rigged(self.secrets) as rig, self.target(rig) as raw:
            for refused in await self.refusals(rig, raw):
                with pytest.raises(Permanent) as caught:
                    await rig.run(self.kind, refused, self.data, self.parameters)
                self.check_text(str(caught.value))

    def check_text(self, text: str) -> None:
        assert text
        for value in self.secrets.values():
            assert value not in text


class ObjectContract(TriggerContract):
    """Clauses of triggers that make Kubernetes objects."""

    async def made(self, rig: Rig) -> list[Any]:
        return await rig.objects.find(None, None)

    async def test_a_repeated_firing_makes_no_second_object(self) -> None:
        async with rigged(self.secrets) as rig, self.target(rig) as raw:
            first = await rig.run(self.kind, raw, self.data, self.parameters)
            again = await rig.run(self.kind, raw, self.data, self.parameters)
            assert not first.repeated
            assert again.repeated
            assert first.object == again.object
            assert await self.made(rig) == [first.object]

    async def test_each_firing_makes_an_object_that_names_it(self) -> None:
        async with rigged(self.secrets) as rig, self.target(rig) as raw:
            events = [f"e{number}" for number in range(5)]
            for event in events:
                await rig.run(self.kind, raw, self.data, self.parameters, event)
            labels = [one["metadata"]["labels"]["events-trigger/firing"] for one in await self.made(rig)]
            assert sorted(labels) == sorted(firing_of(self.data, event).id for event in events)
            names = [one["metadata"]["name"] for one in await self.made(rig)]
            assert all(a != b for a, b in itertools.combinations(names, 2))
