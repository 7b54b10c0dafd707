"""hdfs: changes of files in a Hadoop file system.

Spec      EventSource.spec.hdfs.<eventName>
Payload   {name, op, metadata}; op is a bit mask: CREATE 1, WRITE 2, REMOVE 4, RENAME 8, CHMOD 16
Delivery  at least once: what was seen is remembered only after the bus has stored the event
Upstream  pkg/eventsources/sources/hdfs/start.go
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import Field

from events.api.common import (
    ConfigMapKeySelector,
    NonEmpty,
    Problem,
    SecretKeySelector,
    Strings,
    check_duration,
)
from events.api.eventsource import FilteredSourceConfig, WatchPath

OPERATIONS = ("CREATE", "WRITE", "REMOVE", "RENAME", "CHMOD")


class HDFSConfig(FilteredSourceConfig, WatchPath):
    """Changes below one folder; the fields of the watched path stand here directly."""

    type: NonEmpty = Field(description=f"changes that count, joined by |: {', '.join(OPERATIONS)}")
    check_interval: str = Field("", description="time between two looks; 1m when empty")
    addresses: Strings = Field(min_length=1, description="name nodes, each host:port")
    hdfs_user: str = Field("", description="user name without Kerberos")
    krb_c_cache_secret: SecretKeySelector | None = Field(None, description="Kerberos credential cache")
    krb_keytab_secret: SecretKeySelector | None = Field(
        None, description="Kerberos keytab; wins over the cache"
    )
    krb_username: str = Field("", description="Kerberos user; goes with the keytab")
    krb_realm: str = Field("", description="Kerberos realm; goes with the keytab")
    krb_config_config_map: ConfigMapKeySelector | None = Field(None, description="text of krb5.conf")
    krb_service_principal_name: str = Field("", description="principal of the name node, as in hdfs/_HOST")

    def problems(self) -> Iterable[Problem]:
        """Known changes, a path, a duration, a login."""
        if not set(OPERATIONS) & set(self.type.split("|")):
            yield Problem("type", f"unknown type {self.type!r}", f"one of {', '.join(OPERATIONS)}", "choice")
        yield from WatchPath.problems(self)
        yield from check_duration(self.check_interval, "checkInterval")
        yield from self._login()

    def _login(self) -> Iterator[Problem]:
        kerberos = self.krb_c_cache_secret or self.krb_keytab_secret
        if not (kerberos or self.hdfs_user):
            hint = "write hdfsUser, krbCCacheSecret or krbKeytabSecret"
            yield Problem("", "has neither a user nor Kerberos credentials", hint, "required")
        if kerberos and not (self.krb_service_principal_name and self.krb_config_config_map):
            hint = "write krbServicePrincipalName and krbConfigConfigMap"
            yield Problem("", "has Kerberos credentials but no principal or krb5.conf", hint, "required")
        if self.krb_keytab_secret and not (self.krb_username and self.krb_realm):
            yield Problem(
                "", "has a keytab but no user or realm", "write krbUsername and krbRealm", "required"
            )
