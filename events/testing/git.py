"""Git servers for tests: repositories of a folder over HTTP with a login, and over SSH with a key.

HTTP      git's own http-backend behind aiohttp
SSH       git's own upload-pack behind asyncssh (extra `sftp`)
"""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh
from aiohttp import web

USER, PASSWORD = "deploy", "t0p s3cret/of the bot"

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com", "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com", "GIT_CONFIG_GLOBAL": os.devnull,
}  # fmt: skip


def git(folder: Path, *args: str) -> str:
    """A command in a repository; what it prints."""
    command = ["git", *args]
    environ = {**os.environ, **IDENTITY}
    done = subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def make_repository(folder: Path, files: Mapping[str, str], branch: str = "main") -> Path:
    """A repository with one commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch", branch)
    commit(folder, files)
    return folder


def commit(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "change")


class GitHTTP:
    """`asked` are the paths that were asked for, with whether a login came along."""

    def __init__(self, root: Path, password: str = PASSWORD) -> None:
        self.root = root
        self.asked: list[tuple[str, bool]] = []
        self._wanted = "Basic " + b64encode(f"{USER}:{password}".encode()).decode()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        login = request.headers.get("Authorization")
        self.asked.append((request.path, login is not None))
        if login != self._wanted:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="git"'})
        return await self._backend(request)

    async def _backend(self, request: web.BaseRequest) -> web.StreamResponse:
        environ = {
            **os.environ, "GIT_PROJECT_ROOT": str(self.root), "GIT_HTTP_EXPORT_ALL": "1", "REMOTE_USER": USER,
            "REQUEST_METHOD": request.method, "PATH_INFO": request.path, "QUERY_STRING": request.query_string,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        }  # fmt: skip
        body = await request.read()
        process = await asyncio.create_subprocess_exec(
            "git", "http-backend", env={**environ, "CONTENT_LENGTH": str(len(body))},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate(body)
        head, _, content = out.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200").split()[0])
        return web.Response(status=status, headers=headers, body=content)


class Door(asyncssh.SSHServer):
    """Lets the user `git` in with one key."""

    def __init__(self, key: asyncssh.SSHKey) -> None:
        self._key = key

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == "git" and key == self._key.convert_to_public()


async def pump(source: Any, sink: Any) -> None:
    """All that one side says goes to the other."""
    while chunk := await source.read(65536):
        sink.write(chunk)
        await sink.drain()
    sink.write_eof()


@asynccontextmanager
async def git_over_ssh(root: Path, key: asyncssh.SSHKey) -> AsyncIterator[int]:
    """The port of a server for the repositories below a folder."""

    async def serve(process: asyncssh.SSHServerProcess[bytes]) -> None:
        program, path = shlex.split(process.command or "")
        folder = root / path.lstrip("/")
        child = await asyncio.create_subprocess_exec(
            program, str(folder), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert child.stdin is not None
        assert child.stdout is not None
        await asyncio.gather(pump(process.stdin, child.stdin), pump(child.stdout, process.stdout))
        process.exit(await child.wait())

    server = await asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        server_factory=lambda: Door(key), process_factory=serve, encoding=None,
    )  # fmt: skip
    try:
        yield server.get_port()
    finally:
        server.close()
        await server.wait_closed()
