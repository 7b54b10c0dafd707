"""mosquitto: one MQTT broker, with sessions and retained messages on disk."""

from __future__ import annotations

from collections.abc import Mapping

from events.testing.certificates import Pair
from events.testing.servers._cache import Apt, command
from events.testing.servers._process import Server, listens

PACKAGE = Apt("mosquitto", "mosquitto")


class Mosquitto(Server):
    """What can be chosen.

    users    names and passwords; without them everybody is let in
    acl      text of the file that says what each user may read and write
    tls      certificate of two more ports (`tls_port`, `wss_port`)
    clients  the authority (PEM) of the certificates that clients of these ports must show
    extra    text for the end of the settings file
    """

    name = "mosquitto"
    origin = PACKAGE
    port_count = 4

    def __init__(
        self,
        extra: str = "",
        *,
        users: Mapping[str, str] | None = None,
        acl: str | None = None,
        tls: Pair | None = None,
        clients: str | None = None,
    ) -> None:
        super().__init__()
        self.extra, self.users, self.acl = extra, dict(users or {}), acl
        self.tls, self.clients = tls, clients

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    @property
    def tls_port(self) -> int:
        return self.ports[1]

    @property
    def ws_port(self) -> int:
        """For websockets, with any path."""
        return self.ports[2]

    @property
    def wss_port(self) -> int:
        return self.ports[3]

    def configure(self) -> None:
        lines = [
            "user root",  # started by root it stays root: the folder is not readable for others
            f"listener {self.port} 127.0.0.1", *listener(self.ws_port, "websockets"), *self._encrypted(),
            *self._logins(),
            f"persistence true\npersistence_location {self.folder}/", "autosave_on_changes true",
            "autosave_interval 1", "log_dest stderr", self.extra,
        ]  # fmt: skip
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def _logins(self) -> list[str]:
        if not self.users:
            return ["allow_anonymous true"]
        known = self.folder / "passwords"
        known.write_text("".join(f"{name}:{word}\n" for name, word in self.users.items()))
        command(
            PACKAGE.path("usr/bin/mosquitto_passwd"), "-U", str(known), cwd=self.folder, env=self.environ()
        )
        lines = ["allow_anonymous false", f"password_file {known}"]
        if self.acl is not None:
            (self.folder / "acl").write_text(self.acl)
            lines.append(f"acl_file {self.folder / 'acl'}")
        return lines

    def _encrypted(self) -> list[str]:
        if self.tls is None:
            return []
        pem, trusted = self.folder / "server.pem", self.folder / "clients.pem"
        pem.write_text(self.tls.cert + self.tls.key)
        trusted.write_text(self.clients or self.tls.cert)
        wanted = str(self.clients is not None).lower()
        encrypted = [
            f"certfile {pem}", f"keyfile {pem}", f"cafile {trusted}", f"require_certificate {wanted}"
        ]  # fmt: skip
        plain, web = listener(self.tls_port, "mqtt"), listener(self.wss_port, "websockets")
        return [*plain, *encrypted, *web, *encrypted]

    def command(self) -> list[str]:
        return [PACKAGE.path("usr/sbin/mosquitto"), "-c", str(self.folder / "mosquitto.conf")]

    def environ(self) -> dict[str, str]:
        return PACKAGE.environ()

    def ready(self) -> bool:
        return all(map(listens, self.ports if self.tls else (self.port, self.ws_port)))


def listener(port: int, protocol: str) -> list[str]:
    return [f"listener {port} 127.0.0.1", f"protocol {protocol}"]
