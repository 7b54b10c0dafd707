"""Keys, tokens and credentials files of NATS, as its tools would make them."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import Any, ClassVar

import nkeys


class NKey:
    """An ed25519 key in the dress of NATS: `U` user, `A` account, `O` operator."""

    PREFIXES: ClassVar = {
        "U": nkeys.PREFIX_BYTE_USER,
        "A": nkeys.PREFIX_BYTE_ACCOUNT,
        "O": nkeys.PREFIX_BYTE_OPERATOR,
    }

    def __init__(self, kind: str, secret: bytes) -> None:
        self.seed = nkeys.encode_seed(hashlib.sha256(secret).digest(), self.PREFIXES[kind]).decode()
        self.public: str = nkeys.from_seed(bytearray(self.seed.encode())).public_key.decode()

    def token(self, name: str, subject: str, nats: dict[str, Any]) -> str:
        """A JWT about `subject`, signed by this key (NATS JWT v2)."""
        claims: dict[str, Any] = {
            "jti": "", "iat": int(time.time()), "iss": self.public, "name": name, "sub": subject,
            "nats": {"version": 2, **nats},
        }  # fmt: skip
        digest = hashlib.sha256(json.dumps(claims).encode()).digest()
        claims["jti"] = base64.b32encode(digest).decode().rstrip("=")
        head = {"typ": "JWT", "alg": "ed25519-nkey"}
        signed = ".".join(part(json.dumps(one).encode()) for one in (head, claims))
        signature = nkeys.from_seed(bytearray(self.seed.encode())).sign(signed.encode())
        return f"{signed}.{part(signature)}"


def part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def credentials() -> tuple[str, str]:
    """Configuration of a server whose users come with credentials files, and one such file."""
    operator, account, user = NKey("O", b"operator"), NKey("A", b"account"), NKey("U", b"user")
    system = NKey("A", b"system")
    unlimited = {
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": True, "conn": -1,
        "leaf": -1, "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
    }  # fmt: skip
    top = operator.token("op", operator.public, {"type": "operator", "system_account": system.public})
    rights = operator.token("acc", account.public, {"type": "account", "limits": unlimited})
    diskless = {**unlimited, "mem_storage": 0, "disk_storage": 0}
    inner = operator.token("SYS", system.public, {"type": "account", "limits": diskless})
    login = account.token("user", user.public, {"type": "user", "subs": -1, "data": -1, "payload": -1})
    config = (
        f"operator: {top}\nsystem_account: {system.public}\nresolver: MEMORY\n"
        f"resolver_preload: {{ {account.public}: {rights}, {system.public}: {inner} }}\n"
    )
    file = (
        f"-----BEGIN NATS USER JWT-----\n{login}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )
    return config, file
