"""A scene: an instance, a target, and both gone at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from events.testing.servers import free_port
from tests.e2e.instance import Instance, Scene, Target, manifests


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    target, port = Target(), free_port()
    instance = Instance(tmp_path, manifests(port, await target.start()))
    yield Scene(instance, target, port)
    await instance.close()
    await target.stop()
