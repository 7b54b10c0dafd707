"""A stand-in for a Confluent schema registry: schemas by number, basic authentication."""

from __future__ import annotations

from typing import Any

import aiohttp
import orjson
from aiohttp import web


class RegistryAPI:
    """`schemas` by number, text being one of Protobuf; `login` as user and password.

    `asked` counts requests; `status` is a fault, 200 an answer that is none of a registry.
    """

    def __init__(self, schemas: dict[int, Any], login: tuple[str, str] | None = None) -> None:
        self.schemas, self.login = schemas, login
        self.asked = 0
        self.status = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked += 1
        if self.status == 200:
            return web.Response(text="<html>welcome</html>")
        if self.status:
            return refusal(self.status, self.status * 100, "fault")
        if self.login and request.headers.get("Authorization") != aiohttp.encode_basic_auth(*self.login):
            return refusal(401, 40101, "Unauthorized")
        number = request.path.removeprefix("/schemas/ids/")
        if not number.isdigit() or int(number) not in self.schemas:
            return refusal(404, 40403, "Schema not found")
        schema = self.schemas[int(number)]
        if isinstance(schema, str):
            return web.json_response({"schema": schema, "schemaType": "PROTOBUF"})
        return web.json_response({"schema": orjson.dumps(schema).decode()})


def refusal(status: int, code: int, message: str) -> web.Response:
    return web.json_response({"error_code": code, "message": message}, status=status)
