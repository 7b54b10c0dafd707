"""minio: an S3 store with bucket notifications. Root user `minio`, password `minio12345`.

Version   the newest that the module proxy has; its listen stream reaches a client in blocks of about 4 kB
"""

from __future__ import annotations

from collections.abc import Mapping

from events.testing.servers._go import Go
from events.testing.servers._process import Server, page

PROGRAM = Go("minio", "v0.0.0-20260212201848-7aac2a2c5b7c", "github.com/minio/minio", {"minio": ""})


class Minio(Server):
    """`settings` are further variables, as the MINIO_NOTIFY_... of notification targets.

    Targets have to listen before it starts.
    """

    name = "minio"
    origin = PROGRAM
    user, password = "minio", "minio12345"
    region = "us-east-1"

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.settings = settings or {}

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def configure(self) -> None:
        (self.folder / "data").mkdir()

    def command(self) -> list[str]:
        return [PROGRAM.path(), "server", "--quiet", "--address", self.address, str(self.folder / "data")]

    def environ(self) -> dict[str, str]:
        return {
            "MINIO_ROOT_USER": self.user, "MINIO_ROOT_PASSWORD": self.password, "MINIO_CI_CD": "on",
            "MINIO_BROWSER": "off", "MINIO_UPDATE": "off", "HOME": str(self.folder), **self.settings,
        }  # fmt: skip

    def ready(self) -> bool:
        return page(f"{self.url}/minio/health/ready") is not None
