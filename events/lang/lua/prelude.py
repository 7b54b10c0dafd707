"""The world in which Lua scripts run, in Lua: libraries as gopher-lua has them, without what is not safe.

Gone      io, package, require, module, debug, load*, dofile, newproxy, print's output, most of os, Python
Changed   numbers become text as in Go; string functions on Unicode letters; no bytecode, no finalizers
Limits    a count hook ends a script that runs too long, also inside of pcall and in coroutines
"""

from __future__ import annotations

from typing import Final

PRELUDE: Final = r"""
local host, budget, seed = ...
local debug, coroutine, math, string, table = debug, coroutine, math, string, table
local error, floor, next, pairs, pcall, rawget, select, type =
  error, math.floor, next, pairs, pcall, rawget, select, type
local raw_tostring, raw_tonumber, raw_setmetatable = tostring, tonumber, setmetatable
local raw_format, raw_find, raw_gmatch, raw_gsub, raw_match, raw_rep, raw_concat =
  string.format, string.find, string.gmatch, string.gsub, string.match, string.rep, table.concat
local unpack = unpack or table.unpack
local go_float, go_format, go_number, go_case, go_date, go_time =
  host.float, host.format, host.number, host.case, host.date, host.time
local HUGE, TOP = 1.7976931348623157e308, 9223372036854775808

-- Limits

local MAIN, THREAD = 1000000, 10000  -- instructions between two looks, in the script and in a coroutine
local spent = 0
local function tick(step)
  spent = spent + step
  if spent > budget then
    debug.sethook(function() tick(0) end, "", 1)  -- every instruction raises now: no pcall outlives it
    error("the script ran for too many instructions", 0)
  end
end
local function limited(thread)
  tick(THREAD)  -- paid in advance: a coroutine's count starts anew
  debug.sethook(thread, function() tick(THREAD) end, "", THREAD)
  return thread
end
debug.sethook(function() tick(MAIN) end, "", MAIN)
local function work(size)  -- of one call into C, which counts as few instructions
  if size > 1000 then tick(size) end
end

-- Numbers and text

local function text(value)
  local kind = type(value)
  if kind == "string" then work(#value) end
  if kind ~= "number" then return value end
  if value == floor(value) and value >= -TOP and value < TOP then return raw_format("%d", value) end
  return go_float(value)
end

local function tostring(...)
  local value = ...
  if type(value) == "number" then return text(value) end
  return raw_tostring(...)
end

local function tonumber(...)
  local value, base = ...
  if type(value) == "number" then return value end
  if type(value) ~= "string" then
    if select("#", ...) == 0 then error("bad argument #1 to 'tonumber' (value expected)", 2) end
    return nil
  end
  return go_number(value, base or 0)
end

local function on_text(call)
  return function(value, ...) return call(text(value), ...) end
end

local function cased(call, name)
  return function(value)
    local given = text(value)
    if type(given) == "string" and raw_find(given, "[\128-\255]") then return go_case(name, given) end
    return call(given)
  end
end

local function shown(value)
  local kind = type(value)
  if kind == "number" or kind == "string" or kind == "boolean" or kind == "nil" then return value end
  return raw_tostring(value)
end

local function format(form, ...)
  local count, given = select("#", ...), {...}
  for at = 1, count do given[at] = shown(given[at]) end
  if type(form) ~= "string" and type(form) ~= "number" then
    error("bad argument #1 to 'format' (string expected, got " .. type(form) .. ")", 2)
  end
  local made = go_format(text(form), unpack(given, 1, count))
  if made == nil then error("the formatted text is too long", 2) end
  return text(made)
end

local function beyond(value, init)
  return type(value) == "string" and type(init) == "number" and init > #value + 1
end

local function find(value, pattern, init, ...)
  if pattern == "" then return 1, 0 end
  value = text(value)
  if beyond(value, init) then return nil end
  return raw_find(value, text(pattern), init, ...)
end

local function found(first, ...)
  if first ~= nil then return first, ... end
end

local function match(value, pattern, init)
  value = text(value)
  if beyond(value, init) then return end
  return found(raw_match(value, text(pattern), init))
end

local function gmatch(value, pattern)
  value, pattern = text(value), text(pattern)
  if type(pattern) ~= "string" or string.sub(pattern, 1, 1) ~= "^" then return raw_gmatch(value, pattern) end
  local done = false  -- an anchor holds for the first match only
  return function()
    if not done then
      done = true
      return raw_match(value, pattern)
    end
  end
end

local function gsub(value, pattern, new, ...)
  if type(new) == "string" then new = raw_gsub(new, "%%([^%d%%])", "%%%%%1") end
  return raw_gsub(text(value), text(pattern), new, ...)
end

local function concat(list, separator, first, last)
  local size = #list
  if separator == nil then separator = "" end
  if last == nil and first and (first > size or first < 1) then return "" end
  first, last = math.max(math.min(first or 1, size), 1), math.min(last or size, size)
  local parts = {}
  for at = first, last do parts[at - first + 1] = text(list[at]) end
  return raw_concat(parts, text(separator), 1, last - first + 1)
end

local strings = {
  byte = on_text(string.byte), char = string.char, find = find, format = format,
  gmatch = gmatch, gfind = gmatch, gsub = gsub, len = on_text(string.len),
  lower = cased(string.lower, "lower"), match = match,
  rep = function(value, times)
    value = text(value)
    if type(value) == "string" and type(times) == "number" then work(#value * times) end
    return raw_rep(value, times)
  end,
  reverse = on_text(string.reverse), sub = on_text(string.sub), upper = cased(string.upper, "upper"),
}
strings.__index = strings
debug.setmetatable("", strings)

-- Other libraries

local function copy(library, names)
  local picked = {}
  for name in string.gmatch(names, "%S+") do picked[name] = library[name] end
  return picked
end

local maths = copy(math, "abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp ldexp log log10 max"
  .. " min modf pi pow rad random randomseed sin sinh sqrt tan tanh")
maths.huge = HUGE
maths.mod = function(value, other) return value % other end
math.randomseed(seed)

local function on_list(call)
  return function(list, ...)
    if type(list) == "table" then work(#list) end
    return call(list, ...)
  end
end

local tables = {
  insert = on_list(table.insert), maxn = on_list(table.maxn), remove = on_list(table.remove),
  sort = on_list(table.sort),
}
tables.concat = concat
tables.getn = function(list) return #list end

local threads = copy(coroutine, "resume running status yield")
threads.create = function(body) return limited(coroutine.create(body)) end
threads.wrap = function(body)
  local thread = threads.create(body)
  local function passed(ok, ...)
    if not ok then error(..., 0) end
    return ...
  end
  return function(...) return passed(coroutine.resume(thread, ...)) end
end

local function known(value)
  if value == nil then error("the time is not known here", 3) end
  return value
end

local times = {
  clock = function() return 0 end,
  date = function(form, at)
    form = text(form or "%c")
    if string.sub(form, 1, 1) == "!" then form = string.sub(form, 2) end
    at = at or known(host.now)
    if string.sub(form, 1, 2) ~= "*t" then return go_date(form, at) end
    local fields, names = {}, {"year", "month", "day", "hour", "min", "sec", "wday"}
    for at, field in pairs({string.match(go_date("%Y %m %d %H %M %S %w", at),
        "^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$")}) do fields[names[at]] = raw_tonumber(field) end
    fields.wday, fields.yday, fields.isdst = fields.wday + 1, 0, false
    return fields
  end,
  difftime = function(later, earlier) return later - earlier end,
  time = function(fields)
    if fields == nil then return floor(known(host.now)) end
    local function field(name, default) return floor(raw_tonumber(fields[name]) or default) end
    return go_time(field("year", -1), field("month", -1), field("day", -1),
      field("hour", 12), field("min", 0), field("sec", 0))
  end,
}

-- Base

local function setmetatable(value, meta, ...)
  if type(meta) == "table" then meta.__gc = nil end
  return raw_setmetatable(value, meta, ...)
end

local function xpcall(body, handler)  -- the engine's own runs the handler without hooks
  local function settled(ok, ...)
    if ok then return true, ... end
    return false, select(2, pcall(handler, ...))
  end
  return settled(pcall(body))
end

local world = {
  _VERSION = "Lua 5.1", _GOPHER_LUA_VERSION = "GopherLua 0.1", assert = assert, error = error,
  getfenv = getfenv, getmetatable = getmetatable, ipairs = ipairs, next = next, pairs = pairs, pcall = pcall,
  rawequal = rawequal, rawget = rawget, rawset = rawset, select = select, setfenv = setfenv,
  setmetatable = setmetatable, tonumber = tonumber, tostring = tostring, type = type, unpack = unpack,
  xpcall = xpcall, collectgarbage = function() end, print = function() end, string = strings, math = maths,
  table = tables, coroutine = threads, os = times,
}
local globals = getfenv and getfenv(0) or _G
for name in pairs(globals) do globals[name] = nil end
for name, value in pairs(world) do globals[name] = value end
globals._G = globals

-- Results as JSON

local function escaped(char) return raw_format("\\u%04x", string.byte(char)) end
local function quoted(value) return '"' .. raw_gsub(value, '[%z\1-\31"\\]', escaped) .. '"' end

local function number_json(value)
  if value ~= value or value == 1 / 0 or value == -1 / 0 then error("a number that JSON does not have", 0) end
  if value == 0 and 1 / value < 0 then return "-0.0" end
  return raw_format("%.17g", value)
end

local json

local function array_json(value, size, depth)
  local parts = {}
  for at = 1, size do parts[at] = json(rawget(value, at), depth) end
  return "[" .. raw_concat(parts, ",") .. "]"
end

local function object_json(value, depth)
  local parts = {}
  for key, item in next, value do
    parts[#parts + 1] = quoted(tostring(key)) .. ":" .. json(item, depth)
  end
  return "{" .. raw_concat(parts, ",") .. "}"
end

local function table_json(value, depth)
  if depth > 900 then error("the result is nested too deeply", 0) end
  local size = 0
  for key in next, value do
    if type(key) == "number" and key > size and key == floor(key) and key < 67108864 then size = key end
  end
  local meta = debug.getmetatable(value)
  local is_array = size > 0 or (meta and rawget(meta, "__is_array") == true)
  return is_array and array_json(value, size, depth + 1) or object_json(value, depth + 1)
end

function json(value, depth)
  local kind = type(value)
  if kind == "table" then return table_json(value, depth) end
  if kind == "string" then return quoted(value) end
  if kind == "number" then return number_json(value) end
  if kind == "boolean" then return raw_tostring(value) end
  if kind == "nil" then return "null" end
  error("a " .. kind .. " in the result", 0)
end

local function last(...) return (select(select("#", ...), ...)) end

return text,
  function(body, event) globals.event = event; return last(nil, body()) == true end,
  function(body, event)
    globals.event = event
    local result = last(nil, body())
    if type(result) ~= "table" then error("the script returns no table", 0) end
    return json(result, 0)
  end
"""
"""Called with the host's functions, the number of instructions and the seed of math.random.

Returns the function for the operands of `..`, and those that run a body as a filter and as a transform.
"""
