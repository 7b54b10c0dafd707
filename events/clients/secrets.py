"""Secrets and config maps by name and key. The runtime decides where they come from.

Standalone: Secret and ConfigMap manifests, then `--secrets DIR/<name>/<key>`, then the environment variable
EVENTS_SECRET_<NAME>_<KEY>. One trailing newline is trimmed, as upstream does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from events.errors import Permanent


class Ref(msgspec.Struct, frozen=True):
    """A value kept elsewhere: what requests carry instead of the secret."""

    name: str
    key: str
    kind: Literal["secret", "configmap"] = "secret"

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}, key {self.key!r}"


class Selector(Protocol):
    """Kubernetes' SecretKeySelector and ConfigMapKeySelector."""

    @property
    def name(self) -> str: ...
    @property
    def key(self) -> str: ...


def secret(selector: Selector) -> Ref:
    return Ref(selector.name, selector.key)


def config_map(selector: Selector) -> Ref:
    return Ref(selector.name, selector.key, "configmap")


class Secrets(Protocol):
    """The secrets of one namespace."""

    async def read(self, ref: Ref) -> str:
        """The value as text, one trailing newline trimmed. Raises Permanent naming the ref, never a value."""
        ...


class LocalSecrets:
    """Secrets of one namespace without Kubernetes."""

    def __init__(
        self,
        manifests: Callable[[], Mapping[Ref, bytes]],
        folder: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`manifests` gives what the manifests hold now (it changes on reload)."""
        self._manifests, self._folder = manifests, folder
        self._environ = os.environ if environ is None else environ

    async def read(self, ref: Ref) -> str:
        return self.read_now(ref)

    def read_now(self, ref: Ref) -> str:
        for look in (self._in_manifests, self._in_folder, self._in_environ):
            found = look(ref)
            if found is not None:
                return found.decode(errors="surrogateescape").removesuffix("\n")
        raise Permanent(f"no {ref}: add the manifest, --secrets DIR/{ref.name}/{ref.key}, or {variable(ref)}")

    def _in_manifests(self, ref: Ref) -> bytes | None:
        return self._manifests().get(ref)

    def _in_folder(self, ref: Ref) -> bytes | None:
        if self._folder is None or not (plain(ref.name) and plain(ref.key)):
            return None
        try:
            return (self._folder / ref.name / ref.key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            raise Permanent(f"cannot read {ref} below {self._folder}: {exc.strerror}") from exc

    def _in_environ(self, ref: Ref) -> bytes | None:
        value = self._environ.get(variable(ref))
        return None if value is None else value.encode(errors="surrogateescape")


def plain(part: str) -> bool:
    """A name that stays inside its folder."""
    return part not in {"", ".", ".."} and "/" not in part and "\0" not in part


def variable(ref: Ref) -> str:
    """`EVENTS_SECRET_GITHUB_TOKEN` for secret `github`, key `token`."""
    return "EVENTS_SECRET_" + re.sub(r"[^A-Z0-9]", "_", f"{ref.name}_{ref.key}".upper())
