"""`kill -9` at random moments under load: nothing accepted is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import random

import aiohttp
import pytest

from tests.e2e.instance import Instance, Scene, Target, deliver

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

ROUNDS = 20


class Senders:
    """Numbers in parallel, and pairs one half after the other, each repeated until it is accepted."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self.accepted: set[int] = set()
        self.pairs = 0
        self.stop = asyncio.Event()
        self._next = 0

    async def numbers(self, session: aiohttp.ClientSession) -> None:
        while not self.stop.is_set():
            self._next += 1
            number = self._next
            await self._until_accepted(session, "number", number)
            self.accepted.add(number)

    async def halves(self, session: aiohttp.ClientSession) -> None:
        while not self.stop.is_set():
            await self._until_accepted(session, "a", self.pairs + 1)
            await self._until_accepted(session, "b", self.pairs + 1)
            self.pairs += 1

    async def _until_accepted(self, session: aiohttp.ClientSession, name: str, number: int) -> None:
        """The same delivery id each time, as GitHub redelivers."""
        while await deliver(session, f"{self._url}/{name}", {"number": number}, f"{name}-{number}") != 200:
            await asyncio.sleep(0.02)


async def test_twenty_kills_under_load_lose_nothing_and_double_nothing(scene: Scene):
    instance, target, senders = scene.instance, scene.target, Senders(scene.port)
    chance = random.Random(7)
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(senders.numbers(session))
        group.create_task(senders.halves(session))
        for _ in range(ROUNDS):
            await instance.start()
            await asyncio.sleep(chance.uniform(0.05, 0.8))
            await instance.kill()
        await instance.start()
        senders.stop.set()
    await settled(instance, target, senders)

    made = await instance.get("configmaps")
    numbers = [int(one["data"]["number"]) for one in made]
    assert len(numbers) == len(set(numbers)), "an effect was seen twice in the object store"
    assert set(numbers) == senders.accepted, "an accepted event had no effect"
    assert all(len(set(target.ids[number])) == 1 for number in senders.accepted), "ids differ, or no call"
    pairs = sorted((int(one["data"]["a"]), int(one["data"]["b"])) for one in await instance.get("pair"))
    assert pairs == [(number, number) for number in range(1, senders.pairs + 1)]
    assert len(senders.accepted) > ROUNDS, "there was hardly any load"
    assert await instance.terminate() == 0


async def settled(instance: Instance, target: Target, senders: Senders) -> None:
    """Everything that was accepted has been handled."""
    async with asyncio.timeout(60):
        while True:
            made = await instance.get("configmaps")
            pairs = await instance.get("pair")
            if (
                len(made) >= len(senders.accepted)
                and len(pairs) >= senders.pairs
                and all(number in target.ids for number in senders.accepted)
            ):
                return
            await asyncio.sleep(0.2)
