"""`events run`: everything in one process."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from events.cli._shared import (
    FAILED,
    OK,
    UNREACHABLE,
    USAGE,
    add_data,
    add_namespace,
    command,
    complain,
    fail,
    show_json,
)

if TYPE_CHECKING:
    from events.runtime.standalone import Options, Standalone

EXAMPLE = "events run examples/quickstart"


def register(commands: Any) -> None:
    parser = command(commands, "run", "run manifests on an embedded durable bus", EXAMPLE, run)
    parser.add_argument("paths", nargs="+", metavar="PATH", help="manifests, folders of them, or - for stdin")
    add_data(parser)
    add_namespace(parser)
    add_serving(parser)


def add_serving(parser: argparse.ArgumentParser) -> None:
    """Options that `run` and `demo` share."""
    parser.add_argument("--host", default="127.0.0.1", help="address that sources and pages listen on")
    parser.add_argument("--port", type=int, default=7777, help="port of /healthz, /readyz, /metrics; 0: any")
    parser.add_argument("--secrets", metavar="DIR", type=Path, help="secrets as files DIR/<name>/<key>")
    parser.add_argument(
        "--durability", choices=("power", "process"), default="power",
        help="what an accepted event survives: a power cut, or the end of the process (less latency)",
    )  # fmt: skip
    parser.add_argument(
        "--guard", choices=("off", "allow-private", "strict"), default="allow-private",
        help="addresses that outgoing HTTP may reach",
    )  # fmt: skip
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    parser.add_argument("--log-format", choices=("auto", "text", "json"), default="auto")
    parser.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="form of the summary"
    )


def options_of(args: argparse.Namespace) -> Options:
    from events.runtime.standalone import Options

    return Options(
        paths=args.paths, data=Path(args.data), namespace=args.namespace, host=args.host, port=args.port,
        secrets=args.secrets, durability=args.durability, guard=args.guard,
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    missing = [path for path in args.paths if path != "-" and not Path(path).exists()]
    if missing:
        fail(USAGE, f"there is no {', '.join(missing)}")
    from events.observability.log import set_up

    set_up(args.log_level, args.log_format)
    return serve(args)


def serve(args: argparse.Namespace) -> int:
    import asyncio

    from events.errors import EventsError, ManifestError, Retryable

    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(serve_until_told(args))
    except ManifestError as exc:
        fail(USAGE, str(exc))
    except Retryable as exc:
        fail(UNREACHABLE, str(exc))
    except EventsError as exc:
        fail(FAILED, str(exc))


def loop_factory() -> Any:
    """uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def serve_until_told(args: argparse.Namespace) -> int:
    import asyncio

    from events.runtime.standalone import Standalone

    instance = Standalone(options_of(args))
    instance.handle_signals()
    running = asyncio.get_running_loop().create_task(instance.run(), name="instance")
    started = asyncio.get_running_loop().create_task(instance.started.wait(), name="start")
    await asyncio.wait([running, started], return_when=asyncio.FIRST_COMPLETED)
    if not instance.started.is_set():
        started.cancel()
        await running
        return OK
    tell(instance, args.output)
    await running
    return OK


def tell(instance: Standalone, output: str) -> None:
    """What runs, what listens where, which sensor waits for what, what is wrong."""
    status = instance.status()
    if output == "json":
        show_json(status)
        return
    for line in summary(status):
        print(line, flush=True)
    for finding in instance.service.findings:
        complain(str(finding))


def summary(status: dict[str, Any]) -> list[str]:
    lines = [f"data in {status['data']}, pages on {status['pages']}/readyz and /metrics"]
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
