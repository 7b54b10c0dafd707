"""Documents of triggers that lie elsewhere: s3, file, url, git, configmap. They are read at each firing.

Errors    name source and place; what will not change by itself is Permanent
Upstream  pkg/sensors/artifacts
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from events.clients import git
from events.clients.aws import Account, ClientPool, Clients, first_bytes, translated
from events.clients.exchange import Sending, exchange
from events.clients.github import PUBLIC, App, AppToken
from events.clients.http import check_url, retry_after, shown
from events.clients.secrets import config_map, secret
from events.clients.tls import TlsRefs, session_of
from events.errors import ExpressionError, MissingExtra, Permanent, Retryable

if TYPE_CHECKING:
    from events.api.common import GithubApp
    from events.api.sensor import ArtifactLocation, FileArtifact, GitArtifact, S3Artifact, URLArtifact
    from events.triggers._base import TriggerContext

LIMIT = 5 << 18
"""Bytes of a document: 1.25 MiB, the most that upstream reads; what is larger is refused, not cut."""

TIMEOUT = 60.0
"""Seconds for a document over HTTP or from S3."""

SOURCES = ("s3", "inline", "file", "url", "git", "configmap", "resource")
"""In the order in which they count."""

FETCHED = frozenset({"s3", "file", "url", "git", "configmap"})


def kind_of_source(source: ArtifactLocation) -> str | None:
    """The first source that is given."""
    return next((name for name in SOURCES if getattr(source, name) is not None), None)


def check_source(source: ArtifactLocation) -> None:
    """Raises ExpressionError, MissingExtra for a source that can never be read."""
    kind = kind_of_source(source)
    if kind == "s3" and find_spec("aiobotocore") is None:
        raise MissingExtra("source s3", "aws")
    if kind == "file" and not (source.file and source.file.path):
        raise ExpressionError("source file names no path", "file.path")
    if kind == "url" and source.url is not None:
        try:
            check_url(source.url.path)
        except ValueError as exc:
            raise ExpressionError(f"the URL cannot be called: {exc}", shown(source.url.path)) from exc
    if kind == "git" and source.git is not None:
        check_git(source.git)


def check_git(spec: GitArtifact) -> None:
    """Raises ExpressionError."""
    for field, path in (("filePath", spec.file_path.lstrip("/")), ("cloneDirectory", spec.clone_directory)):
        if not git.inside(path):
            raise ExpressionError(f"{field} may hold neither '..' nor '~' nor '\\'", path)
    ref = git.full_ref(spec.ref, spec.tag, spec.branch)
    if ref[:1] in "+^-" or set(ref) & set(" :*?[~\\"):
        raise ExpressionError("not the name of a ref", ref)


class Documents:
    """Reads documents for the triggers of one namespace."""

    def __init__(self, ctx: TriggerContext) -> None:
        self._secrets, self._sessions = ctx.secrets, ctx.sessions
        self._shared, self._now_ns = ctx.shared, ctx.now_ns
        self._folders: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tokens: dict[tuple[str, App], AppToken] = {}

    async def read(self, source: ArtifactLocation) -> bytes:
        """Raises Retryable, Permanent."""
        kind = kind_of_source(source)
        readers: dict[str, Callable[[Any], Awaitable[bytes]]] = {
            "s3": self._s3, "file": self._file, "url": self._url, "git": self._git,
            "configmap": self._config_map,
        }  # fmt: skip
        assert kind in readers
        return await readers[kind](getattr(source, kind))

    async def _config_map(self, selector: Any) -> bytes:
        text = await self._secrets.read(config_map(selector))
        return bounded(
            text.encode(errors="surrogateescape"), f"source configmap {selector.name}/{selector.key}"
        )

    async def _file(self, spec: FileArtifact) -> bytes:
        return await asyncio.to_thread(read_file, spec.path)

    async def _url(self, spec: URLArtifact) -> bytes:
        """Verified unless the manifest says `verifyCert: false`."""
        insecure = "verify_cert" in spec.model_fields_set and not spec.verify_cert
        session = await session_of(TlsRefs(verify=False) if insecure else None, self._secrets, self._sessions)
        sending = Sending("GET", spec.path, {}, None, TIMEOUT)
        answer = await exchange(session, sending, kept=LIMIT + 1)
        what = f"source url {shown(spec.path)}"
        if answer.status != 200:
            passing = answer.status >= 500 or answer.status in {408, 425, 429}
            text = f"{what}: answered {answer.status} instead of 200"
            if passing:
                raise Retryable(text, retry_after(answer.headers.get("retry-after", ""), self._now_ns()))
            raise Permanent(text)
        if not answer.complete and len(answer.text) <= LIMIT:
            raise Retryable(f"{what}: the document was cut off")
        return bounded(answer.text, what)

    async def _s3(self, spec: S3Artifact) -> bytes:
        what = f"source s3 {spec.endpoint}/{spec.bucket.name}/{spec.bucket.key}"
        account = Account(
            spec.region or "us-east-1", secret(spec.access_key), secret(spec.secret_key),
            endpoint=f"{'http' if spec.insecure else 'https'}://{spec.endpoint}",
        )  # fmt: skip
        pool = self._shared.get(ClientPool, partial(ClientPool, self._sessions))
        client = await Clients(self._secrets, self._sessions, pool).get("s3", account)
        with translated(what):
            async with asyncio.timeout(TIMEOUT):
                found = await client.get_object(Bucket=spec.bucket.name, Key=spec.bucket.key)
                async with found["Body"] as body:
                    return bounded(await first_bytes(body, LIMIT + 1), what)

    async def _git(self, spec: GitArtifact) -> bytes:
        url = spec.remote.urls[0] if spec.remote and spec.remote.urls else spec.url
        folder = Path(spec.clone_directory) if spec.clone_directory else None
        wanted = git.Wanted(
            url, git.full_ref(spec.ref, spec.tag, spec.branch), spec.file_path.lstrip("/"), folder
        )
        read = partial(git.read_file, wanted, await self._login(spec, url), self._sessions, LIMIT)
        if folder is None:
            return await read()
        lock = self._folders.setdefault(spec.clone_directory, asyncio.Lock())
        async with lock:
            return await read()

    async def _login(self, spec: GitArtifact, url: str) -> git.Login:
        """The first of creds, githubApp and sshKeySecret that is given."""
        read = self._secrets.read
        if spec.creds is not None:
            user, password = [
                "" if one is None else (await read(secret(one))).strip()
                for one in (spec.creds.username, spec.creds.password)
            ]
            return git.Login(user=user, password=password)
        if spec.github_app is not None:
            return git.Login(user="x-access-token", password=await self._token(spec.github_app, url))
        key = await read(secret(spec.ssh_key_secret)) if spec.ssh_key_secret is not None else ""
        return git.Login(key=key, check_host=not spec.insecure_ignore_host_key)

    async def _token(self, spec: GithubApp, url: str) -> str:
        """A token of the App's installation, from the API of the URL's host."""
        app = App(await self._secrets.read(secret(spec.private_key)), spec.app_id, spec.installation_id)
        base = api_of(url)
        if (base, app) not in self._tokens:
            self._tokens[base, app] = AppToken(self._sessions.get(), base, app)
        return (await self._tokens[base, app]()).removeprefix("token ")


def api_of(url: str) -> str:
    """GitHub's own API, or that of an Enterprise server."""
    from yarl import URL

    host = URL(url).host
    return PUBLIC if host in {None, "github.com"} else f"{URL(url).origin()}/api/v3/"


def read_file(path: str) -> bytes:
    """Raises Permanent, also for a pipe that nobody writes to: opening it does not wait."""
    what = f"source file {path}"
    try:
        with open(path, "rb", opener=at_once) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise Permanent(f"{what}: is no file")
            return bounded(stream.read(LIMIT + 1), what)
    except FileNotFoundError as exc:
        raise Permanent(f"{what}: there is no such file on this machine") from exc
    except OSError as exc:
        raise Permanent(f"{what}: cannot be read: {exc.strerror}") from exc


def at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def bounded(data: bytes, what: str) -> bytes:
    if len(data) > LIMIT:
        raise Permanent(f"{what}: larger than the {LIMIT} bytes that are taken")
    return data
