"""The loop between receive and delete, on a queue that the test steers; no sockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest

from events.aio import Group
from events.clients import sqs_consumer
from events.clients.sqs import Left, Message
from events.clients.sqs_consumer import Consumer, Malformed, Rules
from events.errors import Permanent, Retryable


class Queue:
    """Gives what is in `waiting`, page by page, and remembers what was asked of it."""

    def __init__(self, *pages: list[str]) -> None:
        self.waiting = [[message(text) for text in page] for page in pages]
        self.refuse_deletes = 0
        self.delete_error: Exception | None = None
        self.deleted: list[str] = []
        self.hidden: list[tuple[str, int]] = []
        self.cannot_hide: set[str] = set()
        self.hide_error: Exception | None = None

    async def receive(self, visibility: int) -> list[Message]:
        await asyncio.sleep(0)
        if not self.waiting:
            await asyncio.sleep(0.01)
            return []
        return self.waiting.pop(0)

    async def delete(self, messages: Sequence[Message]) -> list[Left]:
        if self.delete_error is not None:
            raise self.delete_error
        if self.refuse_deletes:
            self.refuse_deletes -= 1
            return [Left(one, "InternalError: later") for one in messages]
        self.deleted += [one["Body"] for one in messages]
        return []

    async def hide(self, messages: Sequence[Message], seconds: int) -> list[Left]:
        if self.hide_error is not None:
            raise self.hide_error
        self.hidden += [(one["Body"], seconds) for one in messages]
        return [Left(one, "ReceiptHandleIsInvalid") for one in messages if one["Body"] in self.cannot_hide]


def message(text: str) -> Message:
    return {"MessageId": f"id-{text}", "ReceiptHandle": f"receipt-{text}", "Body": text}


class Told:
    label = "default/es.ev"
    log = logging.getLogger("events.sources.test")

    def __init__(self) -> None:
        self.unusable = 0

    def failed(self, count: int) -> None:
        self.unusable += count


class Bench:
    """A consumer at work on a queue."""

    def __init__(self, queue: Queue, *, drop: bool = True, visibility: int = 30) -> None:
        self.queue, self.told = queue, Told()
        self.stored: list[list[str]] = []
        self.refused: set[int] = set()
        self.hold = asyncio.Event()
        self.hold.set()
        self.undeleted: dict[str, None] = {}
        self.rules = Rules(drop, visibility)

    def read(self, given: Message) -> list[str]:
        if given["Body"] == "bad":
            raise Malformed("is bad")
        return given["Body"].split("+") if given["Body"] else []

    async def store(self, events: Sequence[str]) -> set[int]:
        await self.hold.wait()
        self.stored.append([*events])
        return self.refused

    async def run(self, seconds: float = 0.2) -> None:
        queue: Any = self.queue
        consumer = Consumer(queue, self.read, self.store, self.told, self.rules, self.undeleted)
        group = Group(lambda *_: None)
        task = group.start("consumer", consumer.run())
        await asyncio.wait([task], timeout=seconds)
        if task.done():
            await task
        await group.aclose()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqs_consumer, "backoff", lambda *_: 0.001)


async def test_a_page_is_stored_at_once_and_deleted_after_that():
    bench = Bench(Queue(["a", "b+c", ""]))
    bench.hold.clear()
    group = Group(lambda *_: None)
    running = group.start("run", bench.run())
    await asyncio.sleep(0.05)
    assert bench.queue.deleted == []
    bench.hold.set()
    await running
    assert bench.stored == [["a", "b", "c"]]
    assert bench.queue.deleted == ["a", "b+c", ""]


async def test_a_message_of_which_one_event_is_too_large_stays(caplog: pytest.LogCaptureFixture):
    bench = Bench(Queue(["a", "b+c", "d"]))
    bench.refused = {2}
    await bench.run()
    assert bench.queue.deleted == ["a", "d"]
    assert "message id-b+c stays in the queue" in caplog.text


@pytest.mark.parametrize(("drop", "deleted"), [(True, ["bad", "a"]), (False, ["a"])])
async def test_a_message_that_cannot_be_read(drop: bool, deleted: list[str]):
    bench = Bench(Queue(["bad", "a"]), drop=drop)
    await bench.run()
    assert (bench.stored, bench.queue.deleted, bench.told.unusable) == ([["a"]], deleted, 1)


async def test_deletes_that_were_not_made_are_made_again():
    bench = Bench(Queue(["a", "b"]))
    bench.queue.refuse_deletes = 2
    await bench.run()
    assert bench.queue.deleted == ["a", "b"]
    assert bench.undeleted == {}


async def test_what_cannot_be_deleted_is_not_stored_again_when_it_comes_again(
    caplog: pytest.LogCaptureFixture,
):
    bench = Bench(Queue(["a", "b"]))
    bench.queue.refuse_deletes = 3
    await bench.run()
    assert "message id-a is stored and could not be deleted: InternalError: later" in caplog.text
    assert [*bench.undeleted] == ["id-a", "id-b"]
    bench.queue.waiting = [[message("a"), message("new")]]
    await bench.run()
    assert bench.stored == [["a", "b"], ["new"]]
    assert bench.queue.deleted == ["a", "new"]
    assert [*bench.undeleted] == ["id-b"]


async def test_a_delete_that_fails_as_a_whole_ends_the_run_and_is_remembered():
    bench = Bench(Queue(["a"]))
    bench.queue.delete_error = Retryable("gone")
    with pytest.raises(Retryable, match="gone"):
        await bench.run()
    assert [*bench.undeleted] == ["id-a"]


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sqs_consumer, "REMEMBERED", 2)
    bench = Bench(Queue(["a", "b", "c"]))
    bench.queue.refuse_deletes = 3
    await bench.run()
    assert [*bench.undeleted] == ["id-b", "id-c"]


async def test_a_full_page_starts_a_receiver_up_to_a_limit():
    bench = Bench(Queue(*[[f"{page}.{n}" for n in range(10)] for page in range(20)]))
    bench.hold.clear()
    await bench.run()
    assert len(bench.queue.waiting) == 20 - sqs_consumer.RECEIVERS


async def test_messages_in_hand_are_hidden_again_and_at_the_end_given_back(caplog: pytest.LogCaptureFixture):
    bench = Bench(Queue(["a", "b"]), visibility=1)
    bench.hold.clear()
    bench.queue.cannot_hide = {"b"}
    await bench.run(0.9)
    assert bench.queue.hidden == [("a", 1), ("b", 1), ("a", 1), ("b", 1), ("a", 0), ("b", 0)]
    assert "message id-b may come again: it could not be hidden: ReceiptHandleIsInvalid" in caplog.text


async def test_a_login_that_may_not_hide_messages_may_still_read_them(caplog: pytest.LogCaptureFixture):
    """Upstream's source asks for no more than to receive and to delete."""
    queue = Queue(["a"])
    queue.hide_error = Permanent("SQS queue 'q': AccessDenied")
    bench = Bench(queue, visibility=0)
    bench.hold.clear()
    asyncio.get_running_loop().call_later(0.05, bench.hold.set)
    await bench.run()
    assert queue.deleted == ["a"]
    assert caplog.text.count("come again while the bus is slow: SQS queue 'q': AccessDenied") == 1


async def test_an_error_of_a_receive_ends_the_run():
    class Broken(Queue):
        async def receive(self, visibility: int) -> list[Message]:
            raise Permanent("refused")

    with pytest.raises(Permanent, match="refused"):
        await Bench(Broken()).run()
