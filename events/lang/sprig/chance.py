"""Random text, numbers and ids, all from the environment's seeded source: rendering again gives the same."""

from __future__ import annotations

import base64
from typing import Final

from events.errors import EvaluationError
from events.lang.sprig.env import Env
from events.lang.sprig.runes import valid
from events.lang.sprig.table import Table, check_elements

TABLE = Table()

_DIGITS: Final = "0123456789"
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ASCII: Final = "".join(map(chr, range(32, 127)))
_UUID_BITS: Final = 128


def _characters(env: Env, count: int, choices: str) -> str:
    """Empty for a negative count, as in Sprig."""
    check_elements(count)
    return "".join([choices[env.random.randrange(len(choices))] for _ in range(count)])


@TABLE.function("randAlphaNum", "int", environment=True)
def rand_alpha_num(env: Env, count: int) -> str:
    """Random letters and digits."""
    return _characters(env, count, _DIGITS + _LETTERS)


@TABLE.function("randAlpha", "int", environment=True)
def rand_alpha(env: Env, count: int) -> str:
    """Random letters."""
    return _characters(env, count, _LETTERS)


@TABLE.function("randNumeric", "int", environment=True)
def rand_numeric(env: Env, count: int) -> str:
    """Random digits."""
    return _characters(env, count, _DIGITS)


@TABLE.function("randAscii", "int", environment=True)
def rand_ascii(env: Env, count: int) -> str:
    """Random printable ASCII characters."""
    return _characters(env, count, _ASCII)


@TABLE.function("randInt", "int, int", environment=True)
def rand_int(env: Env, low: int, end: int) -> int:
    """A random number from `low` to before `end`. Raises EvaluationError for an empty range."""
    if end <= low:
        raise EvaluationError("invalid argument to Intn")
    return env.random.randrange(end - low) + low


@TABLE.function("randBytes", "int", environment=True)
def rand_bytes(env: Env, count: int) -> str:
    """Random bytes as Base64. Raises EvaluationError for a negative count."""
    if count < 0:
        raise EvaluationError("runtime error: makeslice: len out of range")
    check_elements(count)
    data = env.random.getrandbits(count * 8).to_bytes(count, "big") if count else b""
    return base64.b64encode(data).decode()


@TABLE.function("shuffle", "string", environment=True)
def shuffle(env: Env, text: str) -> str:
    """The characters in random order."""
    check_elements(len(text))
    characters = list(valid(text))
    for i in range(len(characters) - 1, 0, -1):
        other = env.random.randrange(i + 1)
        characters[i], characters[other] = characters[other], characters[i]
    return "".join(characters)


@TABLE.function("uuidv4", environment=True)
def uuidv4(env: Env) -> str:
    """A random UUID of version 4 (RFC 9562)."""
    bits = env.random.getrandbits(_UUID_BITS)
    bits = bits & ~(0xF << 76) | 4 << 76  # version
    bits = bits & ~(3 << 62) | 2 << 62  # variant
    text = f"{bits:032x}"
    return "-".join([text[:8], text[8:12], text[12:16], text[16:20], text[20:]])
