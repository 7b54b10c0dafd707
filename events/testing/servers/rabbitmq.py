"""rabbitmq: one RabbitMQ broker with its management API; durable queues live through a restart."""

from __future__ import annotations

from pathlib import Path

from events.testing.certificates import Pair
from events.testing.servers._cache import Apt
from events.testing.servers._process import Server, page

ERLANG = "usr/lib/erlang"


class Package(Apt):
    """Debian's Erlang has its folder written into its start script."""

    def build(self, folder: Path) -> None:
        super().build(folder)
        script = folder / ERLANG / "bin" / "erl"
        script.write_text(script.read_text().replace(f"/{ERLANG}", self.path(ERLANG)))


PACKAGE = Package("rabbitmq", "rabbitmq-server")
USER, PASSWORD = "guest", "guest"


class RabbitMQ(Server):
    """What can be chosen.

    extra     text for the end of rabbitmq.conf
    tls       certificate of a second port (`tls_port`)
    advanced  text of advanced.config: Erlang terms
    """

    name = "rabbitmq"
    origin = PACKAGE
    port_count = 5

    def __init__(self, extra: str = "", *, tls: Pair | None = None, advanced: str = "[].") -> None:
        super().__init__()
        self.extra, self.tls, self.advanced = extra, tls, advanced

    @property
    def url(self) -> str:
        return f"amqp://{USER}:{PASSWORD}@127.0.0.1:{self.port}/"

    @property
    def management(self) -> str:
        """The HTTP API; basic authentication."""
        return f"http://127.0.0.1:{self.ports[1]}/api"

    @property
    def tls_port(self) -> int:
        return self.ports[4]

    def configure(self) -> None:
        text = (
            f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {self.ports[1]}\n"
            "vm_memory_high_watermark.absolute = 256MB\ndisk_free_limit.absolute = 1MB\n"
        )
        if self.tls is not None:
            pem = self.folder / "server.pem"
            pem.write_text(self.tls.cert + self.tls.key)
            text += (
                f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}\nssl_options.certfile = {pem}\n"
                f"ssl_options.keyfile = {pem}\nssl_options.cacertfile = {pem}\n"
            )
        (self.folder / "rabbitmq.conf").write_text(f"{text}{self.extra}\n")
        (self.folder / "advanced.config").write_text(f"{self.advanced}\n")
        (self.folder / "plugins").write_text("[rabbitmq_management].\n")

    def command(self) -> list[str]:
        """The script inside the package: the one for everybody insists on a user of its own.

        The name server of Erlang nodes (epmd) would stay behind as a daemon: here it is a child.
        """
        names = 'setpriv --pdeathsig KILL epmd -port "$ERL_EPMD_PORT" & exec "$0"'
        return ["sh", "-c", names, PACKAGE.path("usr/lib/rabbitmq/bin/rabbitmq-server")]

    def environ(self) -> dict[str, str]:
        """RUNNING_UNDER_SYSTEMD: the script becomes the server, so that signals reach it."""
        here = str(self.folder)
        return PACKAGE.environ() | {
            "HOME": here,
            "ERL_EPMD_PORT": str(self.ports[3]),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{here}/advanced.config",
            "RABBITMQ_CONFIG_FILE": f"{here}/rabbitmq",
            "RABBITMQ_CONF_ENV_FILE": f"{here}/none",
            "RABBITMQ_DIST_PORT": str(self.ports[2]),
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{here}/plugins",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_LOG_BASE": f"{here}/logs",
            "RABBITMQ_MNESIA_BASE": f"{here}/mnesia",
            "RABBITMQ_NODENAME": f"n{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_PID_FILE": f"{here}/pid",
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def ready(self) -> bool:
        return page(f"{self.management}/health/checks/port-listener/{self.port}", USER, PASSWORD) is not None
