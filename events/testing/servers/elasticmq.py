"""elasticmq: SQS in memory, with the limits of the real one; nothing is left after a restart."""

from __future__ import annotations

from events.testing.servers._cache import Maven
from events.testing.servers._process import Server, listens

VERSION = "1.6.14"
JARS = Maven("elasticmq", VERSION, f"org.elasticmq:elasticmq-server_2.13:{VERSION}")
REGION = "elasticmq"


class ElasticMQ(Server):
    """Any access key is taken. `queues` is the `queues { ... }` part of its settings."""

    name = "elasticmq"
    origin = JARS

    def __init__(self, queues: str = "") -> None:
        super().__init__()
        self.queues = queues

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def configure(self) -> None:
        text = f"""
include classpath("application.conf")
node-address {{ protocol = http, host = "127.0.0.1", port = {self.port}, context-path = "" }}
rest-sqs {{ enabled = true, bind-port = {self.port}, bind-hostname = "127.0.0.1", sqs-limits = strict }}
rest-stats {{ enabled = false }}
{self.queues}
"""
        (self.folder / "elasticmq.conf").write_text(text)

    def command(self) -> list[str]:
        settings = f"-Dconfig.file={self.folder / 'elasticmq.conf'}"
        return JARS.java("org.elasticmq.server.Main", "-Xmx256m", settings)

    def ready(self) -> bool:
        return listens(self.port)
