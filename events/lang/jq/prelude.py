"""jq builtins that are defined in jq: what is rarely used, or is a path whenever its parts are."""

from __future__ import annotations

from functools import cache
from typing import Final

from events.lang.jq import tree
from events.lang.jq.syntax import parse

_SOURCE: Final = """
def values: select(. != null);
def nulls: select(. == null);
def booleans: select(type == "boolean");
def numbers: select(type == "number");
def finites: select(isfinite);
def normals: select(isnormal);
def strings: select(type == "string");
def arrays: select(type == "array");
def objects: select(type == "object");
def iterables: select(type | . == "array" or . == "object");
def scalars: select(type | . != "array" and . != "object");
def first: .[0];
def last: .[-1];
def nth($at): .[$at];
def nth($at; items):
  if $at >= 0 then first(skip($at; items)) else error("nth doesn't support negative index") end;
def combinations:
  if length == 0 then [] else .[0][] as $head | [$head] + (.[1:] | combinations) end;
def combinations($size): . as $all | [range($size) | $all] | combinations;
def paths: path(..) | select(. != []);
def paths(condition): path(.. | select(condition)) | select(. != []);
def pick(parts): . as $all | reduce path(parts) as $path (null; setpath($path; $all | getpath($path)));
def truncate_stream(stream):
  . as $depth | null | stream | select(.[0] | length > $depth) | .[0] |= .[$depth:];
def fromstream(stream):
  foreach stream as $event ({};
    if .done then {} else . end
    | if $event | length == 2
      then setpath(["built"] + $event[0]; $event[1]) | .done = ($event[0] | length == 0)
      else .done = ($event[0] | length == 1) end;
    select(.done) | .built);
def tostream:
  path(def inner: (.[]? | inner), .; inner) as $path
  | getpath($path)
  | reduce path(.[]?) as $key ([$path, .]; [$path + $key]);
def todateiso8601: strftime("%Y-%m-%dT%H:%M:%SZ");
def fromdateiso8601: strptime("%Y-%m-%dT%H:%M:%S%z") | mktime;
def todate: todateiso8601;
def fromdate: fromdateiso8601;
def sub($pattern; text): sub($pattern; text; null);
def gsub($pattern; text): sub($pattern; text; "g");
def gsub($pattern; text; $flags): sub($pattern; text; $flags + "g");
def INDEX(rows; key): reduce rows as $row ({}; .[$row | key | tostring] = $row);
def INDEX(key): INDEX(.[]; key);
def JOIN($index; key): [.[] | [., $index[key]]];
def JOIN($index; rows; key): rows | [., $index[key]];
def JOIN($index; rows; key; joined): rows | [., $index[key]] | joined;
def IN(items): any(items == .; .);
def IN(rows; items): any(rows == items; .);
.
"""


@cache
def definitions() -> dict[tuple[str, int], tree.Define]:
    """By name and arity."""
    found = {}
    node = parse(_SOURCE)
    while isinstance(node, tree.Define):
        found[node.name, len(node.parameters)] = node
        node = node.body
    return found
