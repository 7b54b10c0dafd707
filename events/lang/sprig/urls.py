"""URLs in parts and back, as net/url of Go 1.26."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from events.errors import EvaluationError
from events.lang.govalue import from_bytes, kind_name, to_bytes
from events.lang.sprig.dicts import MAP, Map
from events.lang.sprig.table import Table

TABLE = Table()

_HOST_SAFE: Final = "!\"$&'()*+,:;<=>[]"
_USER_SAFE: Final = "$&+,;="
_PATH_SAFE: Final = "$&+,/:;=@"
_FRAGMENT_SAFE: Final = "!$()&*+,/:;=?@"

_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")
_SCHEME: Final = re.compile("([A-Za-z][A-Za-z0-9+.-]*):")
_USERINFO: Final = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
_PORT: Final = re.compile("(?::[0-9]*)?")
_BAD_ESCAPE: Final = re.compile("%(?![0-9a-fA-F]{2})")
_ASCII_ESCAPE: Final = re.compile("%(?!25)[0-7][0-9a-fA-F]")
_NO_HOST_CHAR: Final = re.compile(rf"[^A-Za-z0-9\-._~%{re.escape(_HOST_SAFE)}\x80-\U0010ffff]")


@dataclass(slots=True)
class _URL:
    scheme: str = ""
    opaque: str = ""
    user: tuple[str, str | None] | None = None
    host: str = ""
    path: str = ""
    query: str = ""
    fragment: str = ""

    @property
    def userinfo(self) -> str:
        """`user:password`, escaped."""
        if self.user is None:
            return ""
        name, password = self.user
        return _escape(name, _USER_SAFE) + ("" if password is None else ":" + _escape(password, _USER_SAFE))

    @property
    def hostname(self) -> str:
        """The host without port and brackets."""
        colon = self.host.rfind(":")
        host = self.host[:colon] if colon >= 0 and _PORT.fullmatch(self.host[colon:]) else self.host
        return host[1:-1] if host.startswith("[") and host.endswith("]") else host


@TABLE.function("urlParse", "string")
def url_parse(text: str) -> Map:
    """The parts of a URL. Raises EvaluationError if it is none."""
    url = _parse(text)
    return {
        "scheme": url.scheme,
        "host": url.host,
        "hostname": url.hostname,
        "path": url.path,
        "query": url.query,
        "opaque": url.opaque,
        "fragment": url.fragment,
        "userinfo": url.userinfo,
    }


@TABLE.function("urlJoin", MAP)
def url_join(parts: Map) -> str:
    """A URL from the parts that `urlParse` gives. Raises EvaluationError for a part that is not text."""
    url = _URL(
        scheme=_part(parts, "scheme"),
        host=_part(parts, "host"),
        path=_part(parts, "path"),
        query=_part(parts, "query"),
        opaque=_part(parts, "opaque"),
        fragment=_part(parts, "fragment"),
    )
    if userinfo := _part(parts, "userinfo"):
        url.user = _parse(f"proto://{userinfo}@host").user
    return _written(url)


def _part(parts: Map, key: str) -> str:
    value: Any = parts.get(key, "")
    if type(value) is not str:
        raise EvaluationError(
            f"unable to parse {key} key, must be of type string, but {kind_name(value)} found"
        )
    return value


# --- reading --------------------------------------------------------------------------------------------


def _parse(text: str) -> _URL:
    before, _, fragment = text.partition("#")
    if _CONTROL.search(before):
        raise EvaluationError("unable to parse url: net/url: invalid control character in URL")
    url = _URL(fragment=_unescape(fragment))
    if before == "*":
        url.path = "*"
        return url
    url.scheme, rest = _scheme(before)
    rest, _, url.query = rest.partition("?")
    _read_hierarchy(url, rest)
    return url


def _scheme(text: str) -> tuple[str, str]:
    if text.startswith(":"):
        raise EvaluationError("unable to parse url: missing protocol scheme")
    match = _SCHEME.match(text)
    return (match[1].lower(), text[match.end() :]) if match else ("", text)


def _read_hierarchy(url: _URL, rest: str) -> None:
    """What stands between scheme and query: an opaque part, or authority and path."""
    if not rest.startswith("/"):
        if url.scheme:
            url.opaque = rest
            return
        if ":" in rest.partition("/")[0]:
            raise EvaluationError("unable to parse url: first path segment in URL cannot contain colon")
    if rest.startswith("//") and (url.scheme or not rest.startswith("///")):
        authority, slash, rest = rest[2:].partition("/")
        rest = slash + rest
        url.user, url.host = _authority(url.scheme, authority)
    url.path = _unescape(rest)


def _authority(scheme: str, text: str) -> tuple[tuple[str, str | None] | None, str]:
    userinfo, at, host_text = text.rpartition("@")
    host = _host(scheme, host_text)
    if not at:
        return None, host
    if not _USERINFO.fullmatch(userinfo):
        raise EvaluationError("unable to parse url: net/url: invalid userinfo")
    name, colon, password = userinfo.partition(":")
    return (_unescape(name), _unescape(password) if colon else None), host


def _host(scheme: str, text: str) -> str:
    bracket = text.rfind("[")
    if bracket > 0:
        raise EvaluationError("unable to parse url: invalid IP-literal")
    if bracket == 0:
        return _ip_literal(text)
    colon = text.find(":") if scheme in ("http", "https") else text.rfind(":")
    if colon >= 0:
        _check_port(text[colon:])
    return _unescape_host(text)


def _ip_literal(text: str) -> str:
    end = text.rfind("]")
    if end < 0:
        raise EvaluationError("unable to parse url: missing ']' in host")
    _check_port(text[end + 1 :])
    address, mark, zone = text[1:end].partition("%25")
    host = _unescape_host(address) + (_unescape_zone(mark + zone) if mark else "")
    try:
        ipaddress.IPv6Address(host)
    except ValueError as exc:
        raise EvaluationError(f"unable to parse url: invalid host: {exc}") from exc
    return f"[{host}]{text[end + 1 :]}"


def _check_port(text: str) -> None:
    if not _PORT.fullmatch(text):
        raise EvaluationError(f'unable to parse url: invalid port "{text}" after host')


def _unescape(text: str) -> str:
    if "%" not in text:
        return text
    if bad := _BAD_ESCAPE.search(text):
        raise EvaluationError(
            f'unable to parse url: invalid URL escape "{text[bad.start() : bad.start() + 3]}"'
        )
    return from_bytes(unquote_to_bytes(to_bytes(text)))


def _unescape_host(text: str) -> str:
    """Only bytes above ASCII, and `%` itself, may be escaped in a host."""
    if escape := _ASCII_ESCAPE.search(text):
        raise EvaluationError(f'unable to parse url: invalid URL escape "{escape[0]}"')
    return _unescape_zone(text)


def _unescape_zone(text: str) -> str:
    """The zone of an IPv6 address: escapes only for what may stand in a host, and for spaces."""
    if bad := _NO_HOST_CHAR.search(text):
        raise EvaluationError(f'unable to parse url: invalid character "{bad[0]}" in host name')
    host = _unescape(text)
    if bad := _NO_HOST_CHAR.search(host.replace(" ", "")):
        raise EvaluationError(f'unable to parse url: invalid URL escape of "{bad[0]}"')
    return host


# --- writing --------------------------------------------------------------------------------------------


def _escape(text: str, safe: str) -> str:
    return quote(to_bytes(text), safe=safe)


def _written(url: _URL) -> str:
    text = f"{url.scheme}:" if url.scheme else ""
    text += url.opaque or _written_hierarchy(url, text)
    if url.query:
        text += f"?{url.query}"
    return text + (f"#{_escape(url.fragment, _FRAGMENT_SAFE)}" if url.fragment else "")


def _written_hierarchy(url: _URL, before: str) -> str:
    text = ""
    if url.host or url.user is not None or (url.scheme and url.path):
        text = "//" + (f"{url.userinfo}@" if url.user is not None else "") + _escape(url.host, _HOST_SAFE)
    path = "*" if url.path == "*" else _escape(url.path, _PATH_SAFE)
    if path and path[0] != "/" and url.host:
        path = "/" + path
    if not before and not text and ":" in path.partition("/")[0]:
        path = "./" + path
    return text + path
