"""moto: AWS for tests, in memory; nothing is left after a restart. `POST /moto-api/reset` empties it."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from events.testing.servers._cache import Pip
from events.testing.servers._process import Server, page

MODULE = Pip("moto", module="moto")


class Moto(Server):
    """`variables` are of its environment (moto's settings, `AWS_...`)."""

    name = "moto"
    origin = MODULE

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.variables = dict(variables or {})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def configure(self) -> None:
        """All is said by arguments."""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    def environ(self) -> dict[str, str]:
        return self.variables

    def ready(self) -> bool:
        return page(f"{self.url}/moto-api/data.json") is not None
