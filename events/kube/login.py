"""How to reach an API server and who to be there: a kubeconfig, or the service account of a pod.

Spec      kubernetes.io: Organizing Cluster Access Using kubeconfig Files; Accessing the API from a Pod
Client    kubernetes_asyncio reads kubeconfigs and runs their login plug-ins; in a pod nothing of it is loaded
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from events.errors import Permanent, Retryable

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its token, the CA certificate and its namespace."""

PLUGIN = 60.0
"""Seconds that a login plug-in may take; it may have to ask a service."""


class Login(NamedTuple):
    """An API server, and what makes it know us."""

    host: str
    """Base URL."""
    authorization: str | None = None
    """Header, as in `Bearer <token>`."""
    tls: ssl.SSLContext | None = None
    server_name: str | None = None
    proxy: str | None = None
    account: str = ""
    """Whose credentials these are, for messages: `context kind-dev`."""

    def __repr__(self) -> str:
        return f"<Login {self.host} {self.account}>"


LogIn = Callable[[], Awaitable[Login]]
"""Reads the credentials as they are now. Raises Permanent, Retryable."""


async def in_cluster(environ: Mapping[str, str] = os.environ, folder: Path = ACCOUNT) -> Login:
    """As the service account of this pod."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise Permanent("this is no pod of a cluster: KUBERNETES_SERVICE_HOST is not set; use --kube-context")
    try:
        token = await asyncio.to_thread((folder / "token").read_text)
        tls = await asyncio.to_thread(tls_context, str(folder / "ca.crt"))
    except OSError as exc:
        raise Permanent(f"{folder} holds no service account: {exc.strerror or exc}") from exc
    address = f"[{host}]" if ":" in host else host
    return Login(
        f"https://{address}:{port}", f"Bearer {token.strip()}", tls, account="the pod's service account"
    )


async def from_kubeconfig(context: str | None, file: str | None = None) -> Login:
    """As the user of a context; None: the current one. `file` None: $KUBECONFIG, then ~/.kube/config."""
    try:
        import yaml
        from kubernetes_asyncio.client import Configuration
        from kubernetes_asyncio.config import ConfigException, load_kube_config
    except ImportError as exc:
        raise Permanent("kubeconfig files need the extra k8s: pip install 'events-trigger[k8s]'") from exc
    path = await asyncio.to_thread(kubeconfig, file)
    found = Configuration()
    try:
        async with asyncio.timeout(PLUGIN):
            await load_kube_config(path, context or None, found)
        return await asyncio.to_thread(login_of, found, f"context {context or '(current)'} of {path}")
    except (
        ConfigException,
        yaml.YAMLError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        AssertionError,
    ) as exc:
        said = f"{type(exc).__name__}: {exc}" if not isinstance(exc, ConfigException) else str(exc)
        raise Permanent(f"kubeconfig {path}, context {context or '(current)'}: {said}") from exc
    except OSError as exc:  # TimeoutError too
        raise Retryable(f"kubeconfig {path}: logging in failed: {exc or type(exc).__name__}") from exc


def kubeconfig(file: str | None) -> str:
    """One path, or several as in $KUBECONFIG. Raises Permanent when there is no such file."""
    named = file or os.environ.get("KUBECONFIG") or "~/.kube/config"
    paths = [Path(part).expanduser() for part in named.split(os.pathsep) if part]
    if not any(path.is_file() for path in paths):
        raise Permanent(f"there is no kubeconfig {named}: name one with --kubeconfig")
    return os.pathsep.join(map(str, paths))


def login_of(found: Any, account: str) -> Login:
    """What the library has read. Reads certificates: in a thread."""
    tls = None
    if found.host.startswith("https"):
        tls = tls_context(found.ssl_ca_cert, verify=found.verify_ssl)
        if found.cert_file:
            tls.load_cert_chain(found.cert_file, found.key_file)
    authorization = found.api_key.get("BearerToken")
    return Login(found.host, authorization, tls, found.tls_server_name, found.proxy, account)


def tls_context(ca: str | None, *, verify: bool = True) -> ssl.SSLContext:
    """`ca`: a file with the only roots; None: those of the system. Raises OSError.

    Python 3.13 asks more of certificates than RFC 5280 of the ones that clusters make for themselves
    (an authority key identifier); Kubernetes' own clients do not ask for it, nor does this.
    """
    context = ssl.create_default_context(cafile=ca)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
