"""kubernetes: a real API server on a real etcd. No controllers, no nodes: objects stay as they are written.

Users     `admin` (system:masters), `viewer` and `sender` (no rights until a RoleBinding gives some)
Start     etcd with the first start of the API server; `kill`, `pause` and `restart` are about the API server
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from events.testing.servers._go import All, Go, Kubernetes
from events.testing.servers._process import Server, page

ETCD = Go("etcd", "v3.6.4", "go.etcd.io/etcd/server/v3", {"etcd": ""})
APISERVER = Kubernetes("kube-apiserver", "v1.34.4", "NewAPIServerCommand")
PROGRAMS = All(ETCD, APISERVER)

TOKENS = {"admin": "admin-token", "viewer": "view-token", "sender": "send-token"}


def rsa_key() -> str:
    """A new private key as PEM text: what tokens of service accounts are signed with."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()


class Etcd(Server):
    """Where the API server keeps its objects."""

    name = "etcd"
    origin = ETCD
    port_count = 2

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def configure(self) -> None:
        """All is said on the command line."""

    def command(self) -> list[str]:
        peers = f"http://127.0.0.1:{self.ports[1]}"
        return [
            ETCD.path(), "--data-dir", str(self.folder / "data"), "--log-level=warn", "--unsafe-no-fsync",
            "--listen-client-urls", self.url, "--advertise-client-urls", self.url,
            "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
            "--initial-cluster", f"default={peers}",
        ]  # fmt: skip

    def ready(self) -> bool:
        return page(f"{self.url}/health") is not None

    def compact(self) -> None:
        """Forget all versions but the newest, as the API server lets it do every five minutes."""
        revision = self.call("kv/range", {"key": "AA=="})["header"]["revision"]
        self.call("kv/compaction", {"revision": revision, "physical": True})

    def call(self, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(f"{self.url}/v3/{path}", json.dumps(body).encode())  # noqa: S310
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - our own
            return json.load(answer)


class Kube(Server):
    """One API server with RBAC. `kubeconfig` has a context for every user, called as the user."""

    name = "kubernetes"
    origin = PROGRAMS
    starts_within = 60.0

    def __init__(self) -> None:
        super().__init__()
        self.etcd = Etcd()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca(self) -> Path:
        """The certificate that clients have to trust."""
        return self.folder / "certs" / "apiserver.crt"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def configure(self) -> None:
        self.etcd.start()
        (self.folder / "sa.key").write_text(rsa_key())
        groups = {"admin": ',"system:masters"'}
        rows = [f"{token},{user},{user}{groups.get(user, '')}\n" for user, token in TOKENS.items()]
        (self.folder / "tokens.csv").write_text("".join(rows))
        self.kubeconfig.write_text(json.dumps(self._kubeconfig()))

    def _kubeconfig(self) -> dict[str, Any]:
        cluster = {"server": self.url, "certificate-authority": str(self.ca)}
        return {
            "apiVersion": "v1", "kind": "Config", "current-context": "admin",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}} for user, token in TOKENS.items()],
            "contexts": [{"name": user, "context": {"cluster": "test", "user": user}} for user in TOKENS],
        }  # fmt: skip

    def command(self) -> list[str]:
        key = self.folder / "sa.key"
        return [
            APISERVER.path(), f"--etcd-servers={self.etcd.url}", "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1", f"--secure-port={self.port}", f"--cert-dir={self.ca.parent}",
            f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.0.0.0/24",
            f"--token-auth-file={self.folder / 'tokens.csv'}", "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none",
        ]  # fmt: skip

    def ready(self) -> bool:
        try:
            return self.call("GET", "/readyz?verbose=0") is not None
        except OSError:
            return False

    def call(self, method: str, path: str, body: Any = None, user: str = "admin") -> Any:
        """One request, for the tests' own preparations and looks. Raises urllib.error.HTTPError, OSError."""
        data = None if body is None else json.dumps(body).encode()
        media = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {TOKENS[user]}", "Content-Type": media}
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310 - our own
        context = ssl.create_default_context(cafile=str(self.ca))
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310
            text = answer.read()
        return json.loads(text) if text.startswith(b"{") else text

    def ensure(self, path: str, body: Any) -> None:
        """Create the object unless it is there."""
        try:
            self.call("POST", path, body)
        except urllib.error.HTTPError as exc:
            if exc.code != 409:
                raise

    def namespace(self, name: str) -> str:
        """Make a namespace; its name."""
        self.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    def close(self) -> None:
        super().close()
        self.etcd.close()
