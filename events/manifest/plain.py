"""Secrets and ConfigMaps: their data, decoded."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator
from typing import Any

from events.api.model import Problem
from events.manifest.findings import Report


def secret_data(raw: dict[str, Any], report: Report) -> dict[str, bytes] | None:
    """The keys of a Secret, None when something is wrong, which is reported without its value.

    `stringData` wins over `data`.
    """
    data = {key: _decoded(text, f"data.{key}", report) for key, text in _texts(raw, "data", report)}
    data |= {key: text.encode(errors="surrogatepass") for key, text in _texts(raw, "stringData", report)}
    return None if report.failed else data


def config_map_data(raw: dict[str, Any], report: Report) -> dict[str, str] | None:
    """The keys of a ConfigMap, None when something is wrong.

    Bytes of `binaryData` that are not UTF-8 become lone surrogates.
    """
    data = dict(_texts(raw, "data", report))
    for key, text in _texts(raw, "binaryData", report):
        data[key] = _decoded(text, f"binaryData.{key}", report).decode(errors="surrogateescape")
    return None if report.failed else data


def _texts(raw: dict[str, Any], field: str, report: Report) -> Iterator[tuple[str, str]]:
    given = raw.get(field) or {}
    if not isinstance(given, dict):
        report.add(Problem(field, "is not a map", "write KEY: VALUE", "type"))
        return
    for key, value in given.items():
        if value is None or isinstance(value, str):
            yield key, value or ""
        else:
            report.add(Problem(f"{field}.{key}", "is not text", "put it in quotes", "type"))


def _decoded(text: str, field: str, report: Report) -> bytes:
    try:
        return b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (Base64Error, ValueError):
        report.add(Problem(field, "is not base64", "put plain text into stringData", "base64"))
        return b""
