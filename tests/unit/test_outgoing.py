"""Every connection that leaves the process goes through events.clients.http, where the address guard is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "events"

MAKERS = frozenset({
    "aiohttp.ClientSession", "aiohttp.TCPConnector", "aiohttp.request", "asyncio.open_connection",
    "socket.create_connection", "urllib.request.urlopen", "http.client.HTTPConnection",
    "http.client.HTTPSConnection", "requests.get", "requests.post", "requests.request", "requests.Session",
    "httpx.Client", "httpx.AsyncClient", "httpx.get", "httpx.post", "smtplib.SMTP", "smtplib.SMTP_SSL",
})  # fmt: skip
"""What makes a connection by itself."""

METHODS = frozenset({"create_connection", "sock_connect"})
"""The same, of an event loop."""

ALLOWED = {
    "clients/http.py": "the guard itself",
    "clients/lookups.py": "connects sockets that http.py and lane.py make, who check the address then",
    "kube/client.py": "the API server that the operator chose, which no manifest names",
    "cli/_client.py": "the socket of an instance on this machine",
    "cli/send.py": "a command of a user to the address that the user typed",
}


def may_call(source: str) -> bool:
    """False for a module in whose text no name of any of them stands in full."""
    return any(all(part in source for part in name.split(".")) for name in MAKERS | METHODS)


def calls(source: str) -> Iterator[str]:
    """Names of MAKERS and METHODS in a module, however they were imported.

    A call with `sock` connects nowhere: it takes a socket that is connected.
    """
    tree = ast.parse(source)
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known |= {name.asname or name.name.partition(".")[0]: name.name if name.asname else
                      name.name.partition(".")[0] for name in node.names}  # fmt: skip
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            known |= {name.asname or name.name: f"{node.module}.{name.name}" for name in node.names}
    taking = {
        id(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and "sock" in {word.arg for word in node.keywords}
    }
    for node in ast.walk(tree):
        if isinstance(node, (ast.Attribute, ast.Name)) and id(node) not in taking:
            full = dotted(node, known)
            if full in MAKERS or (isinstance(node, ast.Attribute) and node.attr in METHODS):
                yield full or f"?.{node.attr}" if isinstance(node, ast.Attribute) else str(full)


def dotted(node: ast.AST, known: dict[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value, known)
        return None if owner is None else f"{owner}.{node.attr}"
    return None


def annotations_left_out(source: str) -> str:
    """The module without its annotations: a type is no connection."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
    return ast.unparse(tree)


def made_in(source: str) -> list[str]:
    return list(calls(annotations_left_out(source))) if may_call(source) else []


def test_no_connection_is_made_beside_the_guard():
    modules = {str(path.relative_to(ROOT)): path for path in ROOT.rglob("*.py")}
    ours = {name: path for name, path in modules.items() if not name.startswith("testing/")}
    found = {
        name: made
        for name, path in ours.items()
        if name not in ALLOWED and (made := made_in(path.read_text()))
    }
    assert len(ours) > 200
    assert not found, "use Sessions.get, .connect or .make_socket"


@pytest.mark.parametrize("module", sorted(ALLOWED))
def test_each_exception_is_still_one(module: str):
    assert made_in((ROOT / module).read_text())


@pytest.mark.parametrize(
    "source",
    [
        "import aiohttp\nasync def f():\n    async with aiohttp.ClientSession() as s: pass",
        "from aiohttp import ClientSession as S\nx = S()",
        "import urllib.request\nurllib.request.urlopen('http://x')",
        "from urllib.request import urlopen\nurlopen('http://x')",
        "import asyncio\nasync def f():\n    await asyncio.open_connection('x', 1)",
        "async def f(loop):\n    await loop.create_connection(None, 'x', 1)",
    ],
)
def test_what_is_found(source: str):
    assert made_in(source)


def test_a_socket_that_is_connected_already_is_not():
    source = "import asyncio\nasync def f(s):\n    await asyncio.open_connection(sock=s)"
    assert not made_in(source)


def test_types_are_not():
    source = (
        "import aiohttp\ndef f(s: aiohttp.ClientSession) -> dict[str, aiohttp.ClientSession]:\n    return {}"
    )
    assert not made_in(source)
