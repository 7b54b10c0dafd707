"""amqp: messages of one AMQP 0.9.1 exchange (RabbitMQ).

Spec      EventSource.spec.amqp.<eventName>
Payload   {contentType, contentEncoding, deliveryMode, priority, correlationId, replyTo, expiration,
          messageId, timestamp, type, appId, exchange, routingKey, body, metadata}
Delivery  at least once with `consume.autoAck: false`: a message is acknowledged only after the bus has
          stored the event; at most once with autoAck
Upstream  pkg/eventsources/sources/amqp/start.go
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from events.api.common import BasicAuth, Model, NonEmpty, Problem, SecretKeySelector, check_login, check_tls
from events.api.eventsource import BrokerSourceConfig


class ExchangeDeclare(Model):
    """How the exchange is declared."""

    durable: bool = Field(False, description="survives a restart of the broker")
    auto_delete: bool = Field(False, description="is deleted when nothing is bound to it")
    internal: bool = Field(False, description="takes no messages from publishers")
    no_wait: bool = Field(False, description="do not wait for the broker's answer")


class QueueDeclare(Model):
    """How the queue is declared."""

    name: str = Field("", description="name of the queue; chosen by the broker when empty")
    durable: bool = Field(False, description="survives a restart of the broker")
    auto_delete: bool = Field(False, description="is deleted when nobody consumes from it")
    exclusive: bool = Field(False, description="belongs to this connection")
    no_wait: bool = Field(False, description="do not wait for the broker's answer")
    arguments: str = Field("", description="further arguments, as YAML text")


class QueueBind(Model):
    """How the queue is bound to the exchange."""

    no_wait: bool = Field(False, description="do not wait for the broker's answer")


class Consume(Model):
    """How messages are consumed."""

    consumer_tag: str = Field("", description="name of the consumer; chosen by the broker when empty")
    auto_ack: bool = Field(False, description="the broker forgets a message when it has sent it")
    exclusive: bool = Field(False, description="nobody else may consume from the queue")
    no_local: bool = Field(False, description="not supported by RabbitMQ")
    no_wait: bool = Field(False, description="do not wait for the broker's answer")


class AMQPConfig(BrokerSourceConfig):
    """One queue bound to one exchange."""

    url: str = Field("", description="amqp:// or amqps:// URL; exactly one of url and urlSecret")
    url_secret: SecretKeySelector | None = Field(None, description="Secret key with the URL")
    exchange_name: str = Field("", description="exchange to declare and bind to")
    exchange_type: NonEmpty = Field(description="direct, fanout, topic or headers")
    routing_key: NonEmpty = Field(description="key of the binding")
    exchange_declare: ExchangeDeclare | None = Field(
        None, description="options of the exchange; durable without this block"
    )
    queue_declare: QueueDeclare | None = Field(
        None, description="options of the queue; exclusive, named by the broker without this block"
    )
    queue_bind: QueueBind | None = Field(None, description="options of the binding")
    consume: Consume | None = Field(None, description="options of consuming; autoAck without this block")
    auth: BasicAuth | None = Field(None, description="login instead of the user in the URL")

    def problems(self) -> Iterable[Problem]:
        """Exactly one URL; whole login and certificates."""
        if bool(self.url) == bool(self.url_secret):
            said = "has both url and urlSecret" if self.url else "has neither url nor urlSecret"
            yield Problem("", said, "write exactly one of url and urlSecret", "choice")
        yield from check_tls(self.tls)
        yield from check_login(self.auth)
