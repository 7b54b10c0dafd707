"""Headers whose values come from Secrets and ConfigMaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.clients.secrets import Ref, config_map, secret
from events.errors import ExpressionError

if TYPE_CHECKING:
    from events.api.common import SecureHeader


def ref_of(header: SecureHeader) -> Ref:
    """The reference behind one secure header. Raises ExpressionError when it names none."""
    source = header.value_from
    if source is not None and source.secret_key_ref is not None:
        return secret(source.secret_key_ref)
    if source is not None and source.config_map_key_ref is not None:
        return config_map(source.config_map_key_ref)
    raise ExpressionError("a secure header needs valueFrom.secretKeyRef or configMapKeyRef", header.name)
