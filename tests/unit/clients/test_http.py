from __future__ import annotations

import ssl
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.clients.exchange import onward, same_party
from events.clients.http import (
    Refused,
    Sessions,
    check_address,
    check_url,
    refusal,
    retry_after,
    shown,
    tls_context,
)
from events.errors import Permanent
from events.testing.certificates import Authority

NEVER = [
    "169.254.169.254",
    "169.254.0.1",
    "fe80::1",
    "fe80::1%eth0",
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",
    "::",
    "::ffff:0.0.0.0",
    "224.0.0.1",
    "ff02::1",
]
PRIVATE = [
    "127.0.0.1",
    "::1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "fc00::1",
    "fec0::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "2002:0a00:0001::",
    "::7f00:1",
    "240.0.0.1",
    "192.0.2.1",
    "2001:db8::1",
]
PUBLIC = ["1.1.1.1", "140.82.112.3", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"]


@pytest.mark.parametrize("address", NEVER)
def test_metadata_and_link_local_addresses_are_refused_by_both_guards(address: str):
    check_address("off", address)
    for guard in ("allow-private", "strict"):
        with pytest.raises(Refused):
            check_address(guard, address)  # type: ignore[arg-type] # a loop over literals


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused_by_the_strict_guard_only(address: str):
    check_address("allow-private", address)
    with pytest.raises(Refused, match="strict"):
        check_address("strict", address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_taken(address: str):
    check_address("strict", address)


@given(st.ip_addresses(v=4))
def test_mapping_an_address_does_not_change_the_verdict(address: Any):
    def verdict(text: str) -> bool:
        try:
            check_address("strict", text)
        except Refused:
            return False
        return True

    assert verdict(str(address)) == verdict(f"::ffff:{address}") == verdict(f"64:ff9b::{address}")


def test_a_socket_is_made_for_good_addresses_only():
    sessions = Sessions("allow-private")
    sessions.make_socket((2, 1, 6, "", ("127.0.0.1", 80))).close()
    with pytest.raises(Refused):
        sessions.make_socket((2, 1, 6, "", ("169.254.169.254", 80)))


def test_a_refusal_is_found_behind_other_errors():
    refused = Refused("no")
    outer = OSError("cannot connect")
    outer.__cause__ = refused
    assert refusal(outer) is refused
    assert refusal(OSError("x")) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("9" * 30, 86400.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("\u00b2", None),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:27:00 GMT", 0.0),
    ],
)
def test_retry_after(text: str, seconds: float | None):
    assert retry_after(text, 1_445_412_450_000_000_000) == seconds


@given(st.text())
def test_any_retry_after_gives_seconds_or_nothing(text: str):
    found = retry_after(text, 0)
    assert found is None or 0 <= found <= 86400


@pytest.mark.parametrize("url", ["http://h", "https://h:8443/x?y#z", "HTTP://[::1]:80/", "http://u:p@h/"])
def test_urls_that_can_be_called(url: str):
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url", ["", "h", "//h", "ftp://h", "http:", "http:///x", "http://h:x", "http://[::1"]
)
def test_urls_that_cannot(url: str):
    with pytest.raises(ValueError, match=r".+"):
        check_url(url)


def test_what_is_shown_of_a_url():
    assert shown("https://u:p@h:1/x/y?token=t#f") == "https://h:1/x/y"


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("http://h/a", "http://h/b", True),
        ("http://h", "https://h", True),
        ("https://h", "http://h", False),
        ("http://h", "http://h:81", False),
        ("http://h", "http://x.h", False),
        ("https://h", "https://h:443/", True),
    ],
)
def test_who_is_the_same_party(old: str, new: str, same: bool):
    from yarl import URL

    assert same_party(URL(old), URL(new)) is same


def test_headers_of_a_redirect_without_a_body_say_nothing_of_a_body():
    from yarl import URL

    headers = {"Content-Type": "a/b", "content-encoding": "x", "X": "1"}
    assert onward(headers, URL("http://h/"), "/x", frozenset(), bodiless=True) == {"X": "1"}
    assert onward(headers, URL("http://h/"), "/x", frozenset(), bodiless=False) == headers


def test_a_context_verifies_unless_told_otherwise():
    context = tls_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert tls_context(verify=False).verify_mode == ssl.CERT_NONE


def test_a_key_that_wants_a_password_is_an_error_and_asks_nobody():
    from cryptography.hazmat.primitives import serialization

    pair = Authority().pair()
    key = serialization.load_pem_private_key(pair.key.encode(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"pa55"),
    ).decode()
    with pytest.raises(Permanent):
        tls_context(cert=pair.cert, key=locked)
    with pytest.raises(Permanent, match="client key is not PEM"):
        tls_context(cert=pair.cert, key="")
    with pytest.raises(Permanent, match="cannot be used"):
        tls_context(cert=pair.cert, key=Authority().pair().key)
