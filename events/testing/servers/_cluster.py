"""Several servers that form a cluster: started together, since none is ready before the others are there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, Self, TypeVar

from events.testing.servers._process import Ended, Server

N = TypeVar("N", bound=Server)


class Cluster(ABC, Generic[N]):
    """`nodes`: each can be stopped, killed and started on its own."""

    def __init__(self) -> None:
        self.nodes: list[N] = []

    @abstractmethod
    def make(self) -> list[N]:
        """The nodes, which are not started yet."""

    def start(self) -> Self:
        """Until all of them are ready. Raises ServerError."""
        try:
            self._attempt()
        except Ended:  # someone else may have taken a port in between
            self.close()
            self._attempt()
        return self

    def _attempt(self) -> None:
        self.nodes = self.make()
        for node in self.nodes:
            node.settle()
            node.spawn()
        for node in self.nodes:
            node.wait_ready()

    def close(self) -> None:
        for node in self.nodes:
            node.close()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()
