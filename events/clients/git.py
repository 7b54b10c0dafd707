"""One file of a Git repository, through the `git` program: a shallow fetch, no checkout.

Login     user and password go through the environment to a credential helper for that host alone; an SSH key
          lies in a private folder while git runs. Neither is an argument or in a message
Limits    https, http, ssh and local repositories; no redirects, prompts, hooks, filters, submodules or
          settings of the machine; git and what it starts end at the deadline
Guard     the address that was checked is the one that git connects to (over HTTP: git 2.37 and newer)
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import urlsplit

from events.clients.http import Refused, Sessions, shown
from events.errors import EventsError, Permanent, Retryable

TIMEOUT = 60.0
"""Seconds for a fetch."""

KEPT = ("PATH", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_EXEC_PATH")
"""Variables of the environment that git sees: no proxy, no settings of git."""

TOLD = 300
"""Characters of git's complaint that are kept."""

SCP = re.compile(r"(?:(?P<user>[^@/:]+)@)?(?P<host>\[[^\]]+\]|[^@/:]+):(?!//)(?P<path>[^:].*)")
"""`git@github.com:acme/shop.git`."""

PORTS = {"https": 443, "http": 80, "ssh": 22}

FINAL = (
    "authentication failed", "could not read username", "permission denied", "access denied", "not found",
    "does not appear to be a git repository", "couldn't find remote ref", "host key verification failed",
    "no matching host key", "certificate", "unable to update url base", "not a git repository",
    "error: 30", "error: 401", "error: 403", "does not exist", "not allowed", "dubious ownership",
)  # fmt: skip
"""In git's complaints: trying again changes nothing."""


class Login(NamedTuple):
    """At most one of the two is used: user and password over HTTP, the key over SSH."""

    user: str = ""
    password: str = ""
    key: str = ""
    check_host: bool = True

    def __repr__(self) -> str:
        return "<Login>"


class Place(NamedTuple):
    """Where a repository is reached; `scheme` is `file` for one on this machine."""

    scheme: str
    host: str
    port: int
    user: str
    url: str


class Wanted(NamedTuple):
    """`ref` is a full name, as refs/heads/main. `folder` keeps what was fetched; None: nothing is kept."""

    url: str
    ref: str
    file: str
    folder: Path | None = None


async def read_file(wanted: Wanted, login: Login, sessions: Sessions, limit: int) -> bytes:
    """The newest content of the file. Raises Retryable (network), Permanent; messages name URL and ref."""
    place, login = place_of(wanted.url, login)
    what = f"git {shown(place.url)}, {wanted.ref}"
    address = await checked_address(place, sessions, what)
    with TemporaryDirectory(prefix="events-git-") as private:
        git = Git(wanted.folder or Path(private) / "repository", what, login)
        git.prepare(place, address, Path(private))
        try:
            async with asyncio.timeout(TIMEOUT):
                return await fetched(git, place, wanted, limit)
        except TimeoutError as exc:
            raise Retryable(f"{what}: not fetched in {TIMEOUT:g} s") from exc


async def fetched(git: Git, place: Place, wanted: Wanted, limit: int) -> bytes:
    await git.begin()
    await git.run("fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--force",
                  "--", place.url, wanted.ref)  # fmt: skip
    listed = (await git.run("ls-tree", "--long", "-z", "FETCH_HEAD", "--", wanted.file)).decode(
        errors="replace"
    )
    name = check_entry(listed, wanted.file, git.what, limit)
    return await git.run("cat-file", "blob", name)


def check_entry(listed: str, file: str, what: str, limit: int) -> str:
    """The object name of a file of bearable size, from a line of `ls-tree --long`. Raises Permanent."""
    if not listed:
        raise Permanent(f"{what}: there is no file {file}: correct filePath")
    mode, kind, name, size = listed.partition("\t")[0].split()
    if kind != "blob" or mode == "120000":
        found = (
            "a link" if mode == "120000" else {"tree": "a folder", "commit": "a submodule"}.get(kind, kind)
        )
        raise Permanent(f"{what}: {file} is {found}, not a file: correct filePath")
    if int(size) > limit:
        raise Permanent(f"{what}: {file} has {size} bytes, {limit} are taken at the most")
    return name


class Git:
    """Runs the program in one repository."""

    def __init__(self, folder: Path, what: str, login: Login) -> None:
        self._folder, self.what, self._login = folder, what, login
        self._options: list[str] = []
        self._environ: dict[str, str] = {}

    def prepare(self, place: Place, address: str | None, private: Path) -> None:
        """What git has to know of the way there. The key is written to the folder `private`."""
        self._environ = {name: os.environ[name] for name in KEPT if name in os.environ} | {
            "HOME": str(private), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "https:http:ssh:file", "GIT_NO_LAZY_FETCH": "1",
        }  # fmt: skip
        settings = {"credential.helper": "", "core.hooksPath": os.devnull, "gc.auto": "0"}
        if place.scheme in {"http", "https"}:
            settings |= self._over_http(place, address)
            self._environ |= {
                "EVENTS_GIT_USER": self._login.user,
                "EVENTS_GIT_PASSWORD": self._login.password,
            }
        elif place.scheme == "ssh":
            self._environ["GIT_SSH_COMMAND"] = shlex.join(self._over_ssh(place, address, private))
        self._options = [word for name, text in settings.items() for word in ("-c", f"{name}={text}")]

    def _over_http(self, place: Place, address: str | None) -> dict[str, str]:
        settings = {"http.followRedirects": "false", "http.lowSpeedLimit": "1", "http.lowSpeedTime": "20"}
        host = bracketed(place.host)
        if address is not None:
            settings["http.curloptResolve"] = f"{host}:{place.port}:{bracketed(address)}"
        if self._login.user or self._login.password:
            settings[f"credential.{place.scheme}://{host}:{place.port}.helper"] = HELPER
            settings[f"credential.{place.scheme}://{host}.helper"] = HELPER
        return settings

    def _over_ssh(self, place: Place, address: str | None, private: Path) -> Iterator[str]:
        yield from ("ssh", "-F", os.devnull, "-o", "BatchMode=yes", "-o", "ConnectTimeout=10")
        yield from ("-o", "IdentityAgent=none", "-o", "ClearAllForwardings=yes")
        if address is not None:
            alias = place.host if place.port == PORTS["ssh"] else f"[{place.host}]:{place.port}"
            yield from ("-o", f"HostName={address}", "-o", f"HostKeyAlias={alias}", "-o", "CheckHostIP=no")
        if self._login.check_host:
            yield from ("-o", "StrictHostKeyChecking=yes")
        else:
            yield from ("-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={os.devnull}")
        if self._login.key:
            path = private / "key"
            path.touch(mode=0o600)
            path.write_text(self._login.key.rstrip("\n") + "\n")
            yield from ("-i", str(path), "-o", "IdentitiesOnly=yes")
        if not place.user:
            yield from ("-l", "git")

    async def begin(self) -> None:
        """A repository to fetch into; one that is there already is used, its working tree left alone."""
        if not await asyncio.to_thread(self._there):
            await asyncio.to_thread(os.makedirs, self._folder, exist_ok=True)
            await self.run("init", "--quiet", "--bare", ".")

    def _there(self) -> bool:
        return (self._folder / ".git").exists() or (self._folder / "HEAD").is_file()

    async def run(self, *args: str) -> bytes:
        """What git prints. Raises Retryable, Permanent with its complaint."""
        try:
            process = await asyncio.create_subprocess_exec(
                "git", *self._options, *args, cwd=self._folder, env=self._environ, start_new_session=True,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
        except FileNotFoundError as exc:
            raise Permanent(f"{self.what}: the program git is not installed") from exc
        try:
            out, err = await process.communicate()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode:
            raise complaint(self.what, err.decode(errors="replace"), self._login)
        return out


def bracketed(host: str) -> str:
    """As it stands in a URL."""
    return f"[{host}]" if ":" in host else host


NOISE = ("hint:", "warning:")

HELPER = (
    '!f() { test "$1" = get && '
    'printf "username=%s\\npassword=%s\\n" "$EVENTS_GIT_USER" "$EVENTS_GIT_PASSWORD"; }; f'
)
"""A credential helper: git asks it for the login of the host that it was made for."""


def complaint(what: str, text: str, login: Login) -> EventsError:
    """Git's error as ours, without what must not be seen."""
    for secret, shown_as in ((login.password, "***"), (login.user and f"{login.user}@", "***@")):
        text = text.replace(secret, shown_as) if secret else text
    lines = [line for line in text.splitlines() if line.strip() and not line.lower().startswith(NOISE)]
    told = "; ".join(dict.fromkeys(line.strip() for line in lines))[:TOLD] or "it failed and told nothing"
    final = any(sign in text.lower() for sign in FINAL)
    hint = ": check url, branch, tag, ref and the login" if final else ""
    return (Permanent if final else Retryable)(f"{what}: {told}{hint}")


def place_of(url: str, login: Login) -> tuple[Place, Login]:
    """Where the URL leads, without user and password, which become the login. Raises Permanent."""
    found = None if "://" in url else SCP.fullmatch(url)
    if found is not None and not url.startswith("/"):
        host = found["host"].strip("[]")
        return Place("ssh", plain_host(host), PORTS["ssh"], found["user"] or "", url), login
    if url.startswith("/"):
        return Place("file", "", 0, "", url), login
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Place("file", "", 0, "", url), login
    if parts.scheme not in PORTS or not parts.hostname:
        raise Permanent(f"git {shown(url)}: the URL has to start with https://, http://, ssh:// or file://")
    user, password = parts.username or "", parts.password or ""
    if parts.scheme != "ssh":
        url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        if user and not (login.user or login.password):
            login = login._replace(user=user, password=password)
    return Place(
        parts.scheme, plain_host(parts.hostname), parts.port or PORTS[parts.scheme], user, url
    ), login


def plain_host(host: str) -> str:
    """Raises Permanent for what ssh would read as an option."""
    if host.startswith("-"):
        raise Permanent(f"git: {host} is not the name of a host")
    return host


async def checked_address(place: Place, sessions: Sessions, what: str) -> str | None:
    """An address of the host that may be connected to; None for a repository of this machine."""
    if place.scheme == "file":
        return None
    try:
        async with asyncio.timeout(TIMEOUT):
            return await sessions.lookup(place.host, place.port)
    except Refused as exc:
        raise Permanent(f"{what}: {exc}") from exc
    except OSError as exc:
        raise Retryable(f"{what}: {place.host} has no address: {exc.strerror or exc}") from exc


def full_ref(ref: str, tag: str, branch: str) -> str:
    """The first of ref, tag and branch that is given, as a full name; `master` without any, as upstream."""
    return ref or (f"refs/tags/{tag}" if tag else f"refs/heads/{branch or 'master'}")


def inside(path: str) -> bool:
    """Whether a path stays below its folder, as upstream wants it: without `..`, `~` and backslashes."""
    return not (".." in path.split("/") or "~" in path or "\\" in path or path.startswith(("-", ":")))
