"""azureQueueStorage: messages of one Azure storage queue.

Spec      EventSource.spec.azureQueueStorage.<eventName>
Payload   {body, messageID, insertionTime, metadata}
Delivery  at least once: a message is deleted only after the bus has stored the event
Upstream  pkg/eventsources/sources/azurequeuestorage/start.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import Int32, NonEmpty, Problem, SecretKeySelector
from events.api.eventsource import BodySourceConfig


class AzureQueueStorageConfig(BodySourceConfig):
    """One queue."""

    storage_account_name: str = Field("", description="storage account, with default credentials")
    connection_string: SecretKeySelector | None = Field(
        None, description="Secret key with the connection string; wins over storageAccountName"
    )
    queue_name: NonEmpty = Field(description="name of the queue")
    decode_message: bool = Field(False, description="the text of a message is base64 and is decoded first")
    dlq: bool = Field(False, description="keep messages that cannot be decoded instead of deleting them")
    wait_time_in_seconds: Int32 | None = Field(
        None, description="pause after an empty read [s]; 3 when absent"
    )

    def problems(self) -> Iterable[Problem]:
        """An account in one of two forms."""
        if not (self.connection_string or self.storage_account_name):
            hint = "write one of them"
            yield Problem("", "has neither connectionString nor storageAccountName", hint, "required")
