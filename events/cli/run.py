"""`events run`: everything in one process."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from events.cli._shared import (
    OK,
    USAGE,
    add_data,
    add_namespace,
    add_output,
    command,
    count,
    fail,
    port,
    require_paths,
)
from events.cli._show import complain, say, show_json

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from events.runtime.cluster import Where
    from events.runtime.standalone import Options, Standalone

EXAMPLE = """events run examples/quickstart
events run manifests/ --data /var/lib/events --secrets /etc/events/secrets
events run manifests/ --bus nats://nats:4222 --lease 5"""

SHORTEST_LEASE, LONGEST_LEASE = 2.0, 3600.0
"""Seconds: below it, a pause of the machine would look like a death."""

SHARED = ("bus", "shards", "lease")
"""Options of `run` that `demo` does not have."""


def register(commands: Any) -> None:
    parser = command(
        commands,
        "run",
        "run manifests on an embedded durable bus, or on one that processes share",
        EXAMPLE,
        run,
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="manifests, folders of them, or - for stdin")
    add_data(parser)
    add_namespace(parser)
    add_bus(parser)
    add_kube(parser)
    add_serving(parser)


def add_bus(parser: argparse.ArgumentParser) -> None:
    """Which bus, and how it is shared with other processes."""
    parser.add_argument(
        "--bus", metavar="URL", type=bus_url,
        help="one bus for everything, instead of what EventBus manifests say: memory:, file:FOLDER, "
        "nats://HOST:PORT, tls://HOST:PORT, kafka://HOST:PORT,HOST:PORT",
    )  # fmt: skip
    parser.add_argument(
        "--shards", metavar="N", type=count,
        help="parts that processes on one bus share out among them; fixed when the bus is first used "
        "(default: 8, on the embedded bus 1)",
    )  # fmt: skip
    parser.add_argument(
        "--lease", metavar="SECONDS", type=lease, default="15",
        help="after how long other processes on the bus take over from a dead one, 2 or more (default: 15)",
    )  # fmt: skip


def add_kube(parser: argparse.ArgumentParser) -> None:
    """Which API server, instead of the local store."""
    parser.add_argument(
        "--kube-context", metavar="NAME",
        help="make objects in, and read secrets from, the cluster of this context (default: a local store)",
    )  # fmt: skip
    parser.add_argument(
        "--kubeconfig", metavar="FILE",
        help="where contexts are (default: $KUBECONFIG, or ~/.kube/config); alone: its current context",
    )  # fmt: skip
    parser.add_argument(
        "--in-cluster", action="store_true", help="the cluster of this pod, as its service account"
    )
    parser.add_argument(
        "--kube-qps", metavar="N", type=rate, help="requests per second to the API server (default: no limit)"
    )


def rate(text: str) -> float:
    """Per second. Raises ArgumentTypeError for what is not above 0."""
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def bus_url(text: str) -> str:
    """Raises ArgumentTypeError for what names no bus."""
    from events.errors import ManifestError
    from events.runtime.engines import of_url

    try:
        of_url(text)
    except ManifestError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc
    return text


def lease(text: str) -> float:
    """Raises ValueError, ArgumentTypeError for less than two seconds."""
    seconds = float(text)
    if not SHORTEST_LEASE <= seconds <= LONGEST_LEASE:
        raise argparse.ArgumentTypeError(f"{text} is not between {SHORTEST_LEASE:g} and {LONGEST_LEASE:g}")
    return seconds


def add_serving(parser: argparse.ArgumentParser) -> None:
    """Options that `run` and `demo` share."""
    parser.add_argument(
        "--host", default="127.0.0.1",
        help="address that sources and pages listen on (default: 127.0.0.1)",
    )  # fmt: skip
    parser.add_argument(
        "--port", type=port, default=7777,
        help="of /healthz, /readyz, /metrics; 0: any free one (default: 7777)",
    )  # fmt: skip
    parser.add_argument("--secrets", metavar="DIR", type=Path, help="secrets as files DIR/<name>/<key>")
    parser.add_argument(
        "--durability", choices=("power", "process"), default="power",
        help="what an accepted event survives: a power cut (default), or the end of the process, which "
        "costs less latency",
    )  # fmt: skip
    parser.add_argument(
        "--keep", metavar="DURATION", type=age, default="168h",
        help="how long handled events are kept, such as 36h or 90m (default: 168h)",
    )  # fmt: skip
    parser.add_argument(
        "--keep-mib", metavar="MIB", type=mebibytes, default="4096",
        help="size of a bus above which handled events go earlier; when there are none, new events are "
        "refused until there is room (default: 4096)",
    )  # fmt: skip
    parser.add_argument(
        "--guard", choices=("off", "allow-private", "strict"), default="allow-private",
        help="addresses that sources and triggers may connect to: all, all but link-local ones and those of "
        "metadata services of clouds (allow-private, the default), public ones only",
    )  # fmt: skip
    parser.add_argument(
        "--log-level", choices=("debug", "info", "warning", "error"), default="info", help="default: info"
    )
    parser.add_argument(
        "--log-format", choices=("auto", "text", "json"), default="auto",
        help="auto: text on a terminal, else json",
    )  # fmt: skip
    add_output(parser)


def age(text: str) -> float:
    """Seconds of a duration above 0, such as 36h. Raises ArgumentTypeError."""
    from events.errors import ExpressionError
    from events.lang.duration import parse_duration

    try:
        found = parse_duration(text)
    except ExpressionError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc
    if found <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0")
    return found / 1e9


def mebibytes(text: str) -> int:
    """As bytes. Raises ValueError."""
    return count(text) << 20


def options_of(args: argparse.Namespace) -> Options:
    """Raises Exit."""
    from events.runtime.standalone import Options

    if args.secrets is not None and not args.secrets.is_dir():
        fail(USAGE, f"there is no folder {args.secrets} for --secrets")
    return Options(
        paths=args.paths, data=Path(args.data), namespace=args.namespace, host=args.host, port=args.port,
        secrets=args.secrets, durability=args.durability, keep=args.keep, keep_bytes=args.keep_mib,
        guard=args.guard, **{name: getattr(args, name) for name in SHARED if hasattr(args, name)},
    )  # fmt: skip


def kube_of(args: argparse.Namespace) -> Where:
    """Raises Exit for options that exclude each other."""
    from events.runtime.cluster import Where

    if args.in_cluster and (args.kube_context or args.kubeconfig):
        fail(USAGE, "--in-cluster takes the pod's own account: leave --kube-context and --kubeconfig out")
    return Where(args.kube_context, args.kubeconfig, args.in_cluster, args.kube_qps)


def run(args: argparse.Namespace) -> int:
    require_paths(args.paths)
    from events.observability.log import set_up

    options = options_of(args)._replace(kube=kube_of(args))
    set_up(args.log_level, args.log_format)
    run_loop(serve_until_told(options, args.output))
    return OK


def run_loop(work: Coroutine[Any, Any, Any]) -> Any:
    """To its end, on uvloop where it is installed."""
    import asyncio

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(work)


def loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def serve_until_told(options: Options, output: str) -> None:
    """Ends with the instance. Raises EventsError when it cannot start."""
    import asyncio

    from events.aio import Group
    from events.runtime.standalone import Standalone

    instance = Standalone(options)
    instance.handle_signals()
    tasks = Group(lambda name, error: None)  # both are awaited here
    running = tasks.start("instance", instance.run())
    started = tasks.start("start", instance.started.wait())
    try:
        await asyncio.wait([running, started], return_when=asyncio.FIRST_COMPLETED)
        if instance.started.is_set():
            tell(instance, output)
        await running
    finally:
        await tasks.aclose()


def tell(instance: Standalone, output: str) -> None:
    """What runs, what listens where, which sensor waits for what, what is wrong."""
    status = instance.status()
    if output == "json":
        show_json(status)
        return
    for line in summary(status):
        say(line)
    for finding in instance.service.findings:
        complain(str(finding))


def summary(status: dict[str, Any]) -> list[str]:
    """The instance as lines of text."""
    lines = [f"data in {status['data']}, pages on {status['pages']}/readyz and /metrics"]
    if status["kubernetes"]:
        lines.append(f"objects in {status['kubernetes']}")
    for source in status["sources"]:
        where = f" on {source['address']}" if source["address"] else ""
        state = (
            "" if source["state"] == "ready" else f"  [{source['state']}: {source['reason'] or 'not yet'}]"
        )
        lines.append(f"source  {source['name']} ({source['kind']}){where}{state}")
    for sensor in status["sensors"]:
        waits = (f"{trigger} when {condition}" for trigger, condition in sensor["waits"].items())
        lines.append(f"sensor  {sensor['name']}: {'; '.join(waits)}")
    if not status["sources"] and not status["sensors"]:
        lines.append("nothing to run: no EventSource and no Sensor was found")
    return lines
