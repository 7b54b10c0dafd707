"""Expressions with the values that antonmedv/expr 1.15.5 gives for them in Argo Events' environment.

Origin    each line was run through the library (with sprig 3.3.0 and evilmonkeyinc/jsonpath 0.8.1) on EVENT
Outcome   `type: text` as Go's %T and %v print the value; `refused` when compiling, `failed` with the event
"""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Any

from events.errors import EvaluationError, ExpressionError
from events.lang.exprlang import compile_filter
from events.lang.gofmt import sprint
from events.lang.gotime import format_moment
from events.lang.govalue import type_name

EVENT: dict[str, Any] = {
    "a": {"b": {"c": 1.5, "d": None}},
    "n": 7,
    "f": 2.5,
    "z": 0,
    "neg": -3,
    "big": 1e21,
    "s": "héllo wörld",
    "t": True,
    "u": False,
    "list": [1, 2.5, "x", None, True, [1], {"k": 1}],
    "ints": [5, 3, 8, 1],
    "strs": ["b", "a", "c"],
    "objs": [{"k": 2, "n": "x"}, {"k": 1, "n": "y"}, {"k": 3, "n": "x"}],
    "empty": {},
    "el": [],
    "es": "",
    "nil": None,
    "d": "2024-02-29T12:30:45.5+02:00",
    "len": 5,
    "type": "push",
    "j": '{"a":[1,{"b":2}],"c":"x"}',
    "b64": "aGVsbG8=",
    "ws": "  \t pad \n",
    "my-key": 1,
    "x.y": 2,
    "x.z.w": 3,
}


class Env:
    """A fixed time and fixed random numbers."""

    now = datetime(2024, 6, 1, tzinfo=UTC)
    random = Random(1)


def outcome(expression: str) -> str:
    try:
        compiled = compile_filter(expression, Env())
    except ExpressionError:
        return "refused"
    try:
        value = compiled.evaluate(EVENT)
    except EvaluationError:
        return "failed"
    return f"{type_name(value)}: {shown(value)}"


def shown(value: Any) -> str:
    if type_name(value) == "time.Time":
        return format_moment(value.moment, "2006-01-02T15:04:05.999999999Z07:00")
    return sprint(value)


def test_values_are_those_of_the_library() -> None:
    rows = [row.split("  ->  ") for row in MEASURED.strip().splitlines()]
    differing = {
        expression: (wanted, outcome(expression))
        for expression, wanted in rows
        if outcome(expression) != wanted
    }
    assert differing == {}


MEASURED = r"""
1 + 2  ->  int: 3
1 + 2.5  ->  float64: 3.5
1 - 2  ->  int: -1
7 / 2  ->  float64: 3.5
7 % 2  ->  int: 1
-7 % 3  ->  int: -1
7 % -3  ->  int: 1
7 % 0  ->  refused
n % 2  ->  failed
int(n) % 2  ->  int: 1
2 ** 10  ->  float64: 1024
2 ^ 3  ->  float64: 8
2 ** -1  ->  float64: 0.5
0 ** -1  ->  float64: +Inf
1 / 0  ->  float64: +Inf
-1 / 0  ->  float64: -Inf
0 / 0  ->  float64: NaN
1.5 * 2  ->  float64: 3
"a" + "b"  ->  string: ab
"a" + 1  ->  refused
1 + "a"  ->  refused
s + 1  ->  failed
n + "a"  ->  failed
n + f  ->  float64: 9.5
n * neg  ->  float64: -21
n - f  ->  float64: 4.5
n / z  ->  float64: +Inf
neg / z  ->  float64: -Inf
z / z  ->  float64: NaN
n ^ 2  ->  float64: 49
-n  ->  float64: -7
+n  ->  float64: 7
-s  ->  failed
+s  ->  string: héllo wörld
-neg  ->  float64: 3
--1  ->  int: 1
- -1  ->  int: 1
!t  ->  bool: false
!s  ->  failed
not t  ->  bool: false
not u  ->  bool: true
not nil  ->  refused
not el  ->  failed
t and u  ->  bool: false
t && u  ->  bool: false
t or u  ->  bool: true
u || t  ->  bool: true
t and 5  ->  refused
u and 5  ->  refused
t and s  ->  string: héllo wörld
s and t  ->  failed
t and (n and t)  ->  failed
true and n  ->  float64: 7
n and true  ->  float64: 7
n or true  ->  bool: true
false or n  ->  float64: 7
n or false  ->  float64: 7
n and false  ->  bool: false
(true and n) == 7  ->  refused
(t and n) == 7  ->  refused
nil and true  ->  refused
1 and true  ->  refused
1 < 2  ->  bool: true
1 < 2.5  ->  bool: true
n < 8  ->  bool: true
n <= 7  ->  bool: true
n >= 7.0  ->  bool: true
n > 7  ->  bool: false
"a" < "b"  ->  bool: true
s < "z"  ->  bool: true
s > "héllo"  ->  bool: true
t < u  ->  failed
nil < 1  ->  refused
n < nil  ->  refused
n < s  ->  failed
"a" < 1  ->  refused
1 == 1.0  ->  bool: true
1 == "1"  ->  refused
n == 7  ->  bool: true
n == 7.0  ->  bool: true
n == "7"  ->  bool: false
n == true  ->  bool: false
t == true  ->  bool: true
t == 1  ->  bool: false
true == 1  ->  refused
nil == nil  ->  bool: true
a == nil  ->  bool: false
missing == nil  ->  bool: true
nil == missing  ->  bool: true
missing != nil  ->  bool: false
a.b.d == nil  ->  bool: true
a.b.x == nil  ->  bool: true
a.x.y == nil  ->  failed
a.b == a.b  ->  bool: true
a.b == a  ->  bool: false
list == list  ->  bool: true
ints == [5, 3, 8, 1]  ->  bool: false
ints == [5.0, 3.0, 8.0, 1.0]  ->  bool: true
[1, 2] == [1, 2]  ->  bool: true
[1, 2] == [1.0, 2.0]  ->  bool: false
[1, "a"] == [1, "a"]  ->  bool: true
1..3 == 1..3  ->  bool: true
1..3 == [1,2,3]  ->  bool: false
{"a": 1} == {"a": 1}  ->  bool: true
{"a": 1} == {"a": 1.0}  ->  bool: false
el == []  ->  bool: true
el == nil  ->  bool: false
empty == {}  ->  bool: true
empty == nil  ->  bool: false
strs == ["b","a","c"]  ->  bool: true
strs != ["b","a","c"]  ->  bool: false
1 in [1,2]  ->  bool: true
1 in [1.0,2.0]  ->  bool: true
1.0 in [1,2]  ->  bool: true
n in [7, 8]  ->  bool: true
n in [7.0, 8]  ->  bool: true
n in ["7"]  ->  failed
n in [7, "7"]  ->  bool: true
"7" in [7, "7"]  ->  bool: true
s in ["a"]  ->  bool: false
nil in ["a"]  ->  bool: false
nil in ["a", ""]  ->  bool: true
nil in [nil]  ->  bool: true
nil in [1, nil]  ->  bool: true
missing in ["a"]  ->  bool: false
missing in [""]  ->  bool: true
missing in [1, 2]  ->  bool: false
missing in [1, nil]  ->  bool: true
t in ["a"]  ->  failed
t in [true]  ->  bool: true
el in ["a"]  ->  failed
len(s) in [12, 13]  ->  bool: true
len(s) in [12, 13.0]  ->  bool: true
len(s) in 1..20  ->  bool: true
n in 1..10  ->  bool: true
f in 1..10  ->  bool: false
s in 1..10  ->  bool: false
nil in 1..10  ->  bool: false
"a" in {"a": 1}  ->  bool: true
"b" in {"a": 1}  ->  bool: false
1 in {"a": 1}  ->  refused
n in {"7": 1}  ->  failed
nil in {"": 1}  ->  bool: true
"b" in a  ->  bool: true
"c" in a.b  ->  bool: true
s in a  ->  bool: false
n in a  ->  failed
nil in a  ->  bool: false
"x" in list  ->  bool: true
7 in list  ->  bool: false
1 in list  ->  bool: true
2.5 in list  ->  bool: true
true in list  ->  bool: true
nil in list  ->  bool: true
[1] in list  ->  bool: false
[1.0] in list  ->  bool: true
{"k": 1.0} in list  ->  bool: true
"b" in strs  ->  bool: true
"z" in strs  ->  bool: false
"a" in s  ->  failed
s in s  ->  failed
"a" in "abc"  ->  refused
n in n  ->  failed
"x" in n  ->  failed
1 in nil  ->  refused
"a" in nil  ->  refused
missing in missing  ->  bool: false
n in missing  ->  bool: false
1 not in [1]  ->  bool: false
not (1 in [1])  ->  bool: false
n + 1 not in [8]  ->  bool: true
"x" not in list  ->  bool: false
s contains "llo"  ->  bool: true
s contains "é"  ->  bool: true
s contains n  ->  failed
n contains "a"  ->  failed
"abc" contains "b"  ->  bool: true
s not contains "x"  ->  bool: true
s startsWith "hé"  ->  bool: true
s startsWith "h"  ->  bool: true
s endsWith "d"  ->  bool: true
s endsWith "ld"  ->  bool: true
s not startsWith "h"  ->  bool: false
s matches "^h.llo"  ->  bool: true
s matches "["  ->  refused
s matches "(?i)HÉLLO"  ->  bool: true
s matches s  ->  bool: true
s matches "a" + "b"  ->  bool: false
s matches ("w" + "ö")  ->  bool: true
s matches ("[" + "")  ->  failed
s matches n  ->  failed
n matches "7"  ->  failed
nil matches "a"  ->  refused
s not matches "x"  ->  bool: true
"abc" matches "b"  ->  bool: true
1 matches "b"  ->  refused
1..3  ->  []int: [1 2 3]
3..1  ->  []int: []
1..n  ->  []int: [1 2 3 4 5 6 7]
n..9  ->  []int: [7 8 9]
f..4  ->  []int: [2 3 4]
s..4  ->  failed
1.5..4  ->  refused
1..1000001  ->  failed
(1..3)[0]  ->  int: 1
(1..3)[-1]  ->  int: 3
(1..3)[5]  ->  failed
[1,2,3][1]  ->  int: 2
[1,2,3][1.0]  ->  refused
[1,2,3][f]  ->  int: 3
[1,2,3][n]  ->  failed
[1,2,3]["a"]  ->  refused
[1,2,3][s]  ->  failed
list[0]  ->  float64: 1
list[-1]  ->  map[string]interface {}: map[k:1]
list[7]  ->  failed
list[-8]  ->  failed
list[nil]  ->  failed
list["a"]  ->  failed
list[f]  ->  string: x
list[t]  ->  failed
list[1:3]  ->  []interface {}: [2.5 x]
list[:2]  ->  []interface {}: [1 2.5]
list[2:]  ->  []interface {}: [x <nil> true [1] map[k:1]]
list[:]  ->  []interface {}: [1 2.5 x <nil> true [1] map[k:1]]
list[-2:]  ->  []interface {}: [[1] map[k:1]]
list[5:2]  ->  []interface {}: []
list[-100:100]  ->  []interface {}: [1 2.5 x <nil> true [1] map[k:1]]
list[f:n]  ->  []interface {}: [x <nil> true [1] map[k:1]]
list["a":]  ->  refused
s[0]  ->  uint8: 104
s[1]  ->  uint8: 195
s[-1]  ->  uint8: 100
s[100]  ->  failed
s[0:3]  ->  string: hé
s[-3:]  ->  string: rld
s[0:2] + s[2:]  ->  string: héllo wörld
s[0:2] + s[2:3] == "hé"  ->  bool: true
n[0]  ->  failed
n[0:1]  ->  failed
nil[0]  ->  refused
nil[0:1]  ->  refused
a[0]  ->  failed
a["b"]  ->  map[string]interface {}: map[c:1.5 d:<nil>]
a["b"]["c"]  ->  float64: 1.5
a.b.c  ->  float64: 1.5
a[s]  ->  <nil>: <nil>
a[nil]  ->  <nil>: <nil>
a[n]  ->  failed
a?.b?.c  ->  float64: 1.5
a?.x?.y  ->  <nil>: <nil>
a.x?.y  ->  <nil>: <nil>
a.x?.y.z  ->  <nil>: <nil>
a.x?.y.z.w  ->  <nil>: <nil>
a.x?.y["z"]  ->  failed
a.x?.y[0]  ->  failed
nil?.x  ->  refused
missing?.x  ->  <nil>: <nil>
missing?.x.y  ->  <nil>: <nil>
missing?.x()  ->  <nil>: <nil>
missing?.x().y  ->  <nil>: <nil>
s?.x  ->  failed
n?.x  ->  failed
list[0]?.x  ->  failed
list[6]?.k  ->  float64: 1
t ? 1 : 2  ->  int: 1
u ? 1 : 2  ->  int: 2
n ? 1 : 2  ->  failed
nil ? 1 : 2  ->  refused
1 ? 1 : 2  ->  refused
t ?: 5  ->  bool: true
u ?: 5  ->  int: 5
n ?: 5  ->  failed
t ? u ? 1 : 2 : 3  ->  int: 2
u ? 1 : t ? 2 : 3  ->  int: 2
(u ? 1 : n) == 7  ->  failed
(u ? n : 1) == 1  ->  bool: true
(t ? 1 : n) == 1  ->  bool: true
(u ? "a" : n) == "a"  ->  failed
nil ?? 1  ->  int: 1
n ?? 1  ->  float64: 7
missing ?? 1  ->  int: 1
missing ?? nil  ->  <nil>: <nil>
missing ?? missing ?? 3  ->  int: 3
a.x ?? "d"  ->  string: d
a.x.y ?? "d"  ->  failed
(a.x ?? 1) + 1  ->  int: 2
a.x ?? 1 + 1  ->  refused
1 + a.x ?? 1  ->  int: 2
n == a.x ?? 7  ->  bool: true
a.x ?? 7 == n  ->  refused
el ?? 1  ->  []interface {}: []
{"a": 1}  ->  map[string]interface {}: map[a:1]
{"a": 1}.a  ->  int: 1
{"a": 1}["a"]  ->  int: 1
{a: 1, "b": 2, 3: 4}  ->  map[string]interface {}: map[3:4 a:1 b:2]
{a: 1, a: 2}.a  ->  int: 1
{(s): 1}  ->  map[string]interface {}: map[héllo wörld:1]
{("a" + "b"): 1}.ab  ->  int: 1
{(n): 1}  ->  failed
{(1): 1}  ->  failed
{"a": 1,}  ->  map[string]interface {}: map[a:1]
{,}  ->  refused
{a}  ->  refused
[1,2,]  ->  []interface {}: [1 2]
[,]  ->  refused
[]  ->  []interface {}: []
{}  ->  map[string]interface {}: map[]
[nil]  ->  []interface {}: [<nil>]
[nil, 1]  ->  []interface {}: [<nil> 1]
[[1],[2]][1][0]  ->  int: 2
all(ints, # > 0)  ->  bool: true
all(ints, {# > 1})  ->  bool: false
all(el, # > 0)  ->  bool: true
all(empty, # > 0)  ->  bool: true
all(a, # > 0)  ->  failed
all(nil, # > 0)  ->  refused
all(n, # > 0)  ->  failed
all(s, # > 0)  ->  bool: true
any(s, # == 104)  ->  bool: true
all(ints, #)  ->  failed
all(ints, 5)  ->  refused
all(ints, nil)  ->  refused
all([true, false], #)  ->  bool: false
any(ints, # == 8)  ->  bool: true
any(objs, .k == 3)  ->  bool: true
any(objs, {.k == 3})  ->  bool: true
any(objs, {#.k == 3})  ->  bool: true
any(objs, .zz == nil)  ->  bool: true
any(objs, .zz.y == nil)  ->  failed
none(ints, # > 100)  ->  bool: true
none(ints, # > 7)  ->  bool: false
one(ints, # > 7)  ->  bool: true
one(ints, # > 4)  ->  bool: false
count(ints, # > 4)  ->  int: 2
count(objs, .n == "x")  ->  int: 2
count(a, true)  ->  int: 1
count(a, # == 1)  ->  failed
filter(ints, # > 4)  ->  []interface {}: [5 8]
filter(objs, .n == "x")  ->  []interface {}: [map[k:2 n:x] map[k:3 n:x]]
filter(objs, .n == "x")[0].k  ->  float64: 2
filter(objs, .n == "q")[0]  ->  failed
filter(ints, # > 4)[-1]  ->  float64: 8
filter(ints, # > 400)[-1]  ->  failed
filter(ints, # > 4)[1]  ->  float64: 8
first(filter(ints, # > 4))  ->  float64: 5
first(filter(ints, # > 400))  ->  <nil>: <nil>
len(filter(ints, # > 4))  ->  int: 2
len(filter(list, # > 4))  ->  failed
filter(list, # > 4)[0]  ->  failed
filter([5, "x"], # > 4)[0]  ->  int: 5
filter(["x", 5], # == 5)[-1]  ->  int: 5
filter(filter(ints, # > 2), # < 8)  ->  []interface {}: [5 3]
first(filter(filter(ints, # > 2), # < 8))  ->  float64: 5
map(ints, # * 2)  ->  []interface {}: [10 6 16 2]
map(ints, #index)  ->  []interface {}: [0 1 2 3]
map(objs, .k)  ->  []interface {}: [2 1 3]
map(objs, .k)[0]  ->  float64: 2
map(filter(objs, .n == "x"), .k)  ->  []interface {}: [2 3]
map(filter(objs, .n == "x"), #index)  ->  []interface {}: [0 2]
map(filter(objs, .n == "x"), .k)[0]  ->  float64: 2
first(map(filter(objs, .n == "x"), .k))  ->  float64: 2
len(map(filter(objs, .n == "x"), .zz.y))  ->  int: 2
map(filter(objs, .n == "x"), .zz.y)  ->  failed
map(empty, 1)  ->  []interface {}: []
map(a, #index)  ->  []interface {}: [0]
map(a, #)  ->  failed
map(ints, nil)  ->  refused
map(1..3, # + 1)  ->  []interface {}: [2 3 4]
map(1..3, # > 1)  ->  []interface {}: [false true true]
map(1..3, #)[0] == "a"  ->  refused
map(1..3, #)[0] == 1  ->  bool: true
map(ints, len(#))  ->  failed
map(strs, len(#))  ->  []interface {}: [1 1 1]
map(strs, upper(#))  ->  []interface {}: [B A C]
map(strs, {let x = #; x + x})  ->  []interface {}: [bb aa cc]
find(ints, # > 4)  ->  float64: 5
find(ints, # > 400)  ->  <nil>: <nil>
find(ints, # > 400) == nil  ->  bool: true
find(1..3, # > 5) == 5  ->  failed
find(1..3, # > 5) == nil  ->  bool: true
find(objs, .n == "y").k  ->  float64: 1
find(objs, .n == "q").k  ->  failed
findIndex(ints, # > 4)  ->  int: 0
findIndex(ints, # == 8)  ->  int: 2
findIndex(ints, # > 400)  ->  <nil>: <nil>
findIndex(ints, # > 400) == nil  ->  bool: true
findIndex(ints, # > 400) == 2  ->  failed
findIndex(ints, # > 400) != 2  ->  bool: true
findLastIndex(ints, # > 4)  ->  int: 2
findLastIndex(ints, # > 400)  ->  <nil>: <nil>
groupBy(objs, .n)["x"]  ->  []interface {}: [map[k:2 n:x] map[k:3 n:x]]
groupBy(objs, .n).x  ->  []interface {}: [map[k:2 n:x] map[k:3 n:x]]
groupBy(objs, .n)["q"]  ->  []interface {}: []
groupBy(objs, .n)["q"] == nil  ->  bool: true
groupBy(objs, .n)["q"] ?? 1  ->  int: 1
len(groupBy(objs, .n)["q"])  ->  int: 0
groupBy(objs, .k)[1]  ->  []interface {}: []
groupBy(objs, .k)[1.0]  ->  []interface {}: [map[k:1 n:y]]
groupBy(objs, .k)[2.0][0].n  ->  string: x
groupBy(1..4, # % 2)[1]  ->  []interface {}: [1 3]
groupBy(1..4, # % 2)[1.0]  ->  []interface {}: []
groupBy(list, #)  ->  failed
groupBy(el, #)  ->  map[interface {}][]interface {}: map[]
groupBy(el, #) == nil  ->  bool: true
groupBy(list, type(#))["float"]  ->  []interface {}: [1 2.5]
len(groupBy(objs, .n))  ->  int: 2
keys(groupBy([1], #))  ->  []interface {}: [1]
"x" in groupBy(objs, .n)  ->  bool: true
n in groupBy(objs, .n)  ->  bool: false
list in groupBy(objs, .n)  ->  failed
groupBy(objs, .n) == groupBy(objs, .n)  ->  bool: true
toJSON(groupBy(objs, .n))  ->  failed
type(groupBy(objs, .n))  ->  string: map
reduce(ints, #acc + #)  ->  float64: 17
reduce(ints, #acc + #, 10)  ->  float64: 27
reduce(el, #acc + #)  ->  failed
reduce(el, #acc + #, 10)  ->  int: 10
reduce(strs, #acc + #)  ->  string: bac
reduce(strs, #acc + #, "")  ->  string: bac
reduce(1..5, #acc * #, 1)  ->  int: 120
reduce(ints, #index + #acc, 0)  ->  int: 6
reduce(ints, #acc)  ->  float64: 5
reduce(list, #acc + #)  ->  failed
ints | filter(# > 2) | map(# * 2)  ->  []interface {}: [10 6 16]
ints | filter({# > 2}) | len()  ->  int: 3
ints | sum()  ->  float64: 17
s | upper()  ->  string: HÉLLO WÖRLD
s | upper() | lower()  ->  string: héllo wörld
s | split(" ") | len()  ->  int: 2
n | string()  ->  string: 7
ints | reduce(#acc + #, 0)  ->  float64: 17
ints | any(# > 7)  ->  bool: true
ints | foo()  ->  failed
ints | asInt()  ->  failed
n | asInt()  ->  int: 7
s | sprig.upper()  ->  refused
len(ints)  ->  int: 4
len(s)  ->  int: 13
len(a)  ->  int: 1
len(n)  ->  failed
len(nil)  ->  refused
len("é")  ->  int: 2
len({"a": 1})  ->  int: 1
len(1)  ->  refused
len(true)  ->  refused
len()  ->  refused
len(s, s)  ->  refused
type(n)  ->  string: float
type(1)  ->  string: int
type(s)  ->  string: string
type(nil)  ->  string: nil
type(list)  ->  string: array
type(a)  ->  string: map
type(t)  ->  string: bool
type(1..3)  ->  string: array
type(asInt)  ->  string: func
type(len)  ->  string: float
type(sprig)  ->  string: map
type(date("2024-01-01"))  ->  string: time.Time
type(duration("1s"))  ->  string: time.Duration
type(date("2024-01-01").Month())  ->  string: time.Month
type(date("2024-01-01").Location())  ->  string: time.Location
type(s[0])  ->  string: uint
type(toPairs({a: 1}))  ->  string: array
type(toPairs({a: 1})[0])  ->  string: array
abs(-5)  ->  int: 5
abs(neg)  ->  float64: 3
abs(n)  ->  float64: 7
abs(s)  ->  failed
abs("a")  ->  refused
abs(nil)  ->  refused
abs(-5.5)  ->  float64: 5.5
ceil(1.2)  ->  float64: 2
ceil(f)  ->  float64: 3
ceil(-f)  ->  float64: -2
ceil(n)  ->  float64: 7
ceil(5)  ->  float64: 5
ceil(s)  ->  failed
floor(f)  ->  float64: 2
floor(-2.5)  ->  float64: -3
floor(5)  ->  float64: 5
round(2.5)  ->  float64: 3
round(-2.5)  ->  float64: -3
round(3.5)  ->  float64: 4
round(f)  ->  float64: 3
round(7)  ->  float64: 7
round("a")  ->  refused
int(f)  ->  int: 2
int("42")  ->  int: 42
int("+42")  ->  int: 42
int("-42")  ->  int: -42
int("4_2")  ->  failed
int(" 42")  ->  failed
int("0x10")  ->  failed
int("9223372036854775807")  ->  int: 9223372036854775807
int("9223372036854775808")  ->  failed
int("")  ->  failed
int(s)  ->  failed
int(t)  ->  failed
int(nil)  ->  refused
int(big)  ->  int: -9223372036854775808
int(-2.9)  ->  int: -2
int(n)  ->  int: 7
float("1.5")  ->  float64: 1.5
float("1e400")  ->  failed
float("abc")  ->  failed
float("-inf")  ->  float64: -Inf
float("NaN")  ->  float64: NaN
float(" 1")  ->  failed
float("1_0")  ->  float64: 10
float("0x10")  ->  failed
float("0x1p4")  ->  float64: 16
float(n)  ->  float64: 7
float(5)  ->  float64: 5
float(t)  ->  failed
string(n)  ->  string: 7
string(f)  ->  string: 2.5
string(big)  ->  string: 1e+21
string(s)  ->  string: héllo wörld
string(nil)  ->  string: <nil>
string(t)  ->  string: true
string(list)  ->  string: [1 2.5 x <nil> true [1] map[k:1]]
string(a)  ->  string: map[b:map[c:1.5 d:<nil>]]
string(1.0)  ->  string: 1
string(1e6)  ->  string: 1e+06
string(1e20)  ->  string: 1e+20
string(1e21)  ->  string: 1e+21
string(0.00001)  ->  string: 1e-05
string(100000.0)  ->  string: 100000
string(123456789.0)  ->  string: 1.23456789e+08
string([1,"a",nil])  ->  string: [1 a <nil>]
string({b: 1, a: 2})  ->  string: map[a:2 b:1]
string(1..3)  ->  string: [1 2 3]
trim(ws)  ->  string: pad
trim("xxaxx", "x")  ->  string: a
trim(s, "hd")  ->  string: éllo wörl
trim(n)  ->  failed
trim(nil)  ->  failed
trim("a", "b", "c")  ->  refused
trim()  ->  refused
trimPrefix("  a")  ->  string:  a
trimPrefix("aab", "a")  ->  string: ab
trimSuffix("baa", "a")  ->  string: ba
trimPrefix(s, "hé")  ->  string: llo wörld
upper(s)  ->  string: HÉLLO WÖRLD
lower("ÀÉ")  ->  string: àé
upper("straße")  ->  string: STRAßE
upper("ŉ")  ->  string: ŉ
lower("İ")  ->  string: i
upper(n)  ->  failed
split("a,b,c", ",")  ->  []string: [a b c]
split("a,b,c", ",", 2)  ->  []string: [a b,c]
split("a,b,c", ",", 0)  ->  []string: []
split("a,b,c", ",", -1)  ->  []string: [a b c]
split("a,b,c", "")  ->  []string: [a , b , c]
split("héé", "")  ->  []string: [h é é]
split("héé", "", 2)  ->  []string: [h éé]
split("", ",")  ->  []string: []
split("", "")  ->  []string: []
split(s, " ")  ->  []string: [héllo wörld]
split(s, n)  ->  failed
split(n, "a")  ->  failed
split("a,b", ",", f)  ->  []string: [a b]
split("a,b,c", ",", n)  ->  []string: [a b c]
split("a,b,c", ",")[1]  ->  string: b
split("a,b", ",", 0) == nil  ->  bool: true
split("a,b", ",", 0) ?? 1  ->  int: 1
type(split("a,b", ","))  ->  string: array
"a" in split("a,b", ",")  ->  bool: true
split("a,b", ",") == ["a","b"]  ->  bool: false
splitAfter("a,b,c", ",")  ->  []string: [a, b, c]
splitAfter("a,b,c", ",", 2)  ->  []string: [a, b,c]
splitAfter("a,b,c", "")  ->  []string: [a , b , c]
replace("aaa", "a", "b")  ->  string: bbb
replace("aaa", "a", "b", 2)  ->  string: bba
replace("aaa", "", "-")  ->  string: -a-a-a-
replace("aaa", "", "-", 2)  ->  string: -a-aa
replace("aaa", "a", "b", -1)  ->  string: bbb
replace("aaa", "a", "b", 0)  ->  string: aaa
replace("aaa", "a")  ->  refused
replace(s, "é", "e")  ->  string: hello wörld
replace(s, n, "e")  ->  failed
repeat("ab", 3)  ->  string: ababab
repeat("ab", -1)  ->  failed
repeat("ab", n)  ->  string: ababababababab
repeat("ab", f)  ->  string: abab
repeat("ab", "3")  ->  refused
len(repeat("ab", 1000001))  ->  failed
join(strs)  ->  string: bac
join(strs, ",")  ->  string: b,a,c
join(["a","b"], "-")  ->  string: a-b
join(split("a,b", ","), "-")  ->  string: a-b
join(ints, "-")  ->  failed
join(list)  ->  failed
join(n)  ->  failed
join([1,2])  ->  failed
join(strs, n)  ->  failed
indexOf(s, "l")  ->  int: 3
indexOf(s, "wö")  ->  int: 7
indexOf("abc", "z")  ->  int: -1
lastIndexOf(s, "l")  ->  int: 11
lastIndexOf(s, "zz")  ->  int: -1
hasPrefix(s, "h")  ->  bool: true
hasSuffix(s, "d")  ->  bool: true
hasPrefix(n, "h")  ->  failed
max(1, 2, 3)  ->  int: 3
max(1, 2.5)  ->  float64: 2.5
max(n, f)  ->  float64: 7
max(ints)  ->  []interface {}: [5 3 8 1]
max([1,2])  ->  refused
max()  ->  refused
max("a", "b")  ->  refused
max(s, "z")  ->  string: z
max(n, s)  ->  failed
max(nil, 1)  ->  refused
max(missing, 1)  ->  int: 1
max(1, missing)  ->  failed
min(1, 2)  ->  int: 1
min(n, f, neg)  ->  float64: -3
max(1, 2.5) == 2.5  ->  bool: true
max(1, 2.5) == 1  ->  failed
sum(ints)  ->  float64: 17
sum(list)  ->  failed
sum([1,2,3])  ->  int: 6
sum([1,2.5,3])  ->  float64: 6.5
sum([])  ->  int: 0
sum(el)  ->  int: 0
sum(n)  ->  failed
sum(1..10)  ->  int: 55
sum(["a"])  ->  failed
sum([duration("1s")])  ->  int: 1000000000
mean(ints)  ->  float64: 4.25
mean(el)  ->  float64: 0
mean([])  ->  float64: 0
mean([1,2])  ->  float64: 1.5
mean(list)  ->  failed
mean(n)  ->  failed
median(ints)  ->  float64: 4
median([1,3,2])  ->  float64: 2
median([])  ->  float64: 0
median(strs)  ->  failed
toJSON(n)  ->  string: 7
toJSON(s)  ->  string: "héllo wörld"
toJSON(nil)  ->  string: null
toJSON("<a>&")  ->  string: "\u003ca\u003e\u0026"
toJSON([])  ->  string: []
toJSON({})  ->  string: {}
toJSON(big)  ->  string: 1e+21
toJSON(1e-7)  ->  string: 1e-7
toJSON(date("2024-01-01"))  ->  string: "2024-01-01T00:00:00Z"
toJSON(duration("1s"))  ->  string: 1000000000
toJSON(fromPairs([["a",1]]))  ->  failed
toJSON(split("a", ",", 0))  ->  string: null
toJson(a)  ->  string: {"b":{"c":1.5,"d":null}}
toJson(list)  ->  string: [1,2.5,"x",null,true,[1],{"k":1}]
toJson(s)  ->  string: "héllo wörld"
toJson(nil)  ->  string: null
toJSON(1.0/0)  ->  failed
fromJSON("1")  ->  float64: 1
fromJSON("[1,2]")  ->  []interface {}: [1 2]
fromJSON(j)  ->  map[string]interface {}: map[a:[1 map[b:2]] c:x]
fromJSON(j).a[1].b  ->  float64: 2
fromJSON("x")  ->  failed
fromJSON("")  ->  failed
fromJSON("{\"a\":1}").a == 1  ->  bool: true
fromJSON("9007199254740993") == 9007199254740992  ->  bool: true
fromJSON("1e400")  ->  failed
fromJSON(n)  ->  failed
fromJSON("\"\\ud800\"")  ->  string: �
fromJSON("{\"a\":1,\"a\":2}").a  ->  float64: 2
fromJSON(" 1 ")  ->  float64: 1
fromJSON("01")  ->  failed
fromJSON("NaN")  ->  failed
toBase64(s)  ->  string: aMOpbGxvIHfDtnJsZA==
fromBase64(b64)  ->  string: hello
fromBase64("aGk")  ->  failed
fromBase64("aGk=\n")  ->  string: hi
fromBase64("a===")  ->  failed
len(fromBase64("/w=="))  ->  int: 1
fromBase64("_w==")  ->  failed
duration("1h30m")  ->  time.Duration: 1h30m0s
duration("90s").Minutes()  ->  float64: 1.5
duration("90s").Minutes() == 1.5  ->  bool: true
duration("1h").Hours() == 1  ->  bool: true
duration("1h") == duration("60m")  ->  bool: true
duration("1h") > duration("59m")  ->  bool: true
duration("1h") + duration("1m")  ->  time.Duration: 1h1m0s
duration("1h") - duration("1m")  ->  time.Duration: 59m0s
duration("1h") * 2  ->  time.Duration: 2h0m0s
2 * duration("1h")  ->  time.Duration: 2h0m0s
duration("1h") * 1.5  ->  float64: 5.4e+12
duration("1h") * duration("1ns")  ->  time.Duration: 1h0m0s
duration("1h") / 2  ->  failed
duration("1h") % 2  ->  failed
duration("1h") + 1  ->  failed
duration("1h") == 1  ->  bool: false
duration("1h") > 1  ->  failed
-duration("1h")  ->  failed
abs(duration("1h"))  ->  failed
duration("x")  ->  failed
duration(s)  ->  failed
duration(n)  ->  failed
duration("1.5s").Milliseconds()  ->  int64: 1500
duration("1.5s").String()  ->  string: 1.5s
duration("1.5s").Seconds()  ->  float64: 1.5
duration("1.5s").Round(duration("1s"))  ->  time.Duration: 2s
duration("1.5s").Truncate(duration("1s"))  ->  time.Duration: 1s
duration("1.5s").Truncate(1000)  ->  failed
duration("-1.5s").Abs()  ->  time.Duration: 1.5s
duration("1s").Foo()  ->  refused
duration("1s").Foo  ->  refused
duration("1s").Minutes == 1  ->  refused
[duration("1s")][0].Minutes()  ->  float64: 0.016666666666666666
string(duration("1h"))  ->  string: 1h0m0s
string(date("2024-03-01"))  ->  string: 2024-03-01 00:00:00 +0000 UTC
date("2024-03-01")  ->  time.Time: 2024-03-01T00:00:00Z
date("2024-03-01").Year()  ->  int: 2024
date("2024-03-01").Month()  ->  time.Month: March
date("2024-03-01").Month() == 3  ->  bool: false
date("2024-03-01").Month().String() == "March"  ->  bool: true
string(date("2024-03-01").Month())  ->  string: March
date("2024-03-01").Weekday()  ->  time.Weekday: Friday
date("2024-03-01").Weekday().String()  ->  string: Friday
date("2024-03-01").Day()  ->  int: 1
date("2024-03-01").YearDay()  ->  int: 61
date("2024-03-01").Unix()  ->  int64: 1709251200
date("2024-03-01").UnixMilli() == 1709251200000  ->  bool: true
date("2024-03-01").Format("02 Jan 2006")  ->  string: 01 Mar 2024
date("2024-03-01").After(date("2024-02-28"))  ->  bool: true
date("2024-03-01").Before(date("2024-02-28"))  ->  bool: false
date("2024-03-01").Equal(date("2024-03-01"))  ->  bool: true
date("2024-03-01").Add(duration("1h"))  ->  time.Time: 2024-03-01T01:00:00Z
date("2024-03-01").Add(5)  ->  failed
date("2024-03-01").AddDate(0, 1, 1)  ->  time.Time: 2024-04-02T00:00:00Z
date("2024-03-01").AddDate(0, 1)  ->  refused
date("2024-03-01").AddDate(n, 1, 1)  ->  failed
date("2024-03-01").Sub(date("2024-02-28"))  ->  time.Duration: 48h0m0s
date("2024-03-01").Sub(date("2024-02-28")).Hours()  ->  float64: 48
date("2024-03-01").Truncate(duration("24h"))  ->  time.Time: 2024-03-01T00:00:00Z
date("2024-03-01").IsZero()  ->  bool: false
date("2024-03-01").Date()  ->  refused
date("2024-03-01").ISOWeek()  ->  int: 2024
date("2024-12-30").ISOWeek()  ->  int: 2025
date("2024-03-01").Zone()  ->  string: UTC
date("2024-03-01").UTC()  ->  time.Time: 2024-03-01T00:00:00Z
date("2024-03-01").Location().String()  ->  string: UTC
[date("2024-03-01")][0].Date()  ->  int: 2024
[date("2024-03-01")][0].Clock()  ->  int: 0
[date("2024-03-01")][0].Year()  ->  int: 2024
[date("2024-03-01")][0].Add(5)  ->  failed
[date("2024-03-01")][0].Format(n)  ->  failed
[date("2024-03-01")][0].Foo()  ->  failed
date("2024-03-01").wall  ->  failed
date("2024-03-01").foo  ->  refused
"wall" in date("2024-03-01")  ->  bool: true
"foo" in date("2024-03-01")  ->  bool: false
n in date("2024-03-01")  ->  failed
date("2024-03-02") - date("2024-03-01")  ->  time.Duration: 24h0m0s
date("2024-03-02") - date("2024-03-01") == duration("24h")  ->  bool: true
date("2024-03-02") - duration("24h") == date("2024-03-01")  ->  bool: true
date("2024-03-02") + duration("24h")  ->  time.Time: 2024-03-03T00:00:00Z
duration("24h") + date("2024-03-02")  ->  time.Time: 2024-03-03T00:00:00Z
date("2024-03-02") + 1  ->  refused
date("2024-03-02") + date("2024-03-02")  ->  refused
date("2024-03-02") > date("2024-03-01")  ->  bool: true
date("2024-03-02") <= date("2024-03-01")  ->  bool: false
date("2024-03-02") > "2024"  ->  refused
date("2024-03-02") == "2024"  ->  refused
date("2024-03-02") == date("2024-03-02")  ->  bool: true
[date("2024-03-02")] == [date("2024-03-02")]  ->  bool: true
date("12:30:00")  ->  time.Time: 0000-01-01T12:30:00Z
date("2024-03-01 12:30:00")  ->  time.Time: 2024-03-01T12:30:00Z
date("2024-03-01T12:30:00Z")  ->  time.Time: 2024-03-01T12:30:00Z
date("2024-03-01T12:30:00+02:00")  ->  time.Time: 2024-03-01T12:30:00+02:00
date(d)  ->  time.Time: 2024-02-29T12:30:45.5+02:00
date(d).Hour()  ->  int: 12
date(d).UTC().Hour()  ->  int: 10
date("02 Jan 06 15:04 MST")  ->  time.Time: 2006-01-02T15:04:00Z
date("Monday, 02-Jan-06 15:04:05 MST")  ->  time.Time: 2006-01-02T15:04:05Z
date("Mon, 02 Jan 2006 15:04:05 MST")  ->  time.Time: 2006-01-02T15:04:05Z
date("Mon, 02 Jan 2006 15:04:05 CET")  ->  time.Time: 2006-01-02T15:04:05Z
date("x")  ->  failed
date(n)  ->  failed
date("01/02/2024", "01/02/2006")  ->  time.Time: 2024-01-02T00:00:00Z
date("01/02/2024", "02/01/2006")  ->  time.Time: 2024-02-01T00:00:00Z
date("01/02/2024", "2006")  ->  failed
date("2024-07-01 12:00:00", "2006-01-02 15:04:05", "Europe/Berlin").Unix()  ->  int64: 1719828000
date("2024-07-01 12:00:00 +0200", "2006-01-02 15:04:05 -0700", "Europe/Berlin").Zone()  ->  string: CEST
date("2024-07-01", "2006-01-02", "Nowhere/X")  ->  failed
date("2024-07-01", "2006-01-02", "")  ->  time.Time: 2024-07-01T00:00:00Z
date("a","b","c","d")  ->  refused
max(date("2024-01-01"), date("2025-01-01"))  ->  refused
[date("2024-01-01")] | first()  ->  time.Time: 2024-01-01T00:00:00Z
first(ints)  ->  float64: 5
first(el)  ->  <nil>: <nil>
first([1,2])  ->  int: 1
first(1..3)  ->  int: 1
first(s)  ->  uint8: 104
first("abc")  ->  refused
first(n)  ->  <nil>: <nil>
first(nil)  ->  refused
first(a)  ->  <nil>: <nil>
first({})  ->  refused
last(ints)  ->  float64: 1
last(el)  ->  <nil>: <nil>
last(1..3)  ->  int: 3
last(1..3) == 3  ->  bool: true
first(1..3) == "a"  ->  refused
get(ints, 0)  ->  float64: 5
get(ints, 10)  ->  <nil>: <nil>
get(ints, "a")  ->  <nil>: <nil>
get(a, "b")  ->  map[string]interface {}: map[c:1.5 d:<nil>]
get(a, "zz")  ->  <nil>: <nil>
get(a, n)  ->  <nil>: <nil>
get(n, "a")  ->  <nil>: <nil>
get(nil, "a")  ->  refused
get("abc", 0)  ->  refused
get([1], 0)  ->  int: 1
get([1], "a")  ->  refused
get([1], nil)  ->  refused
get([1], 5)  ->  <nil>: <nil>
get({a: 1}, "a")  ->  int: 1
get({a: 1}, 1)  ->  refused
get({a: 1}, nil)  ->  refused
get(s, 0)  ->  uint8: 104
get(a)  ->  refused
get($env, "n")  ->  float64: 7
get($env, "n") == 7  ->  bool: true
get($env, s)  ->  <nil>: <nil>
get($env, "a").b  ->  refused
take(ints, 2)  ->  []interface {}: [5 3]
take(ints, 20)  ->  []interface {}: [5 3 8 1]
take(ints, 0)  ->  []interface {}: []
take(ints, -1)  ->  failed
take(ints, n)  ->  failed
take(ints, 1.0)  ->  refused
take(ints, int(f))  ->  []interface {}: [5 3]
take(1..5, 2)  ->  []int: [1 2]
take(s, 1)  ->  failed
take("abc", 1)  ->  refused
take([1,2], 1)  ->  []interface {}: [1]
keys({a: 1})  ->  []interface {}: [a]
keys(a)  ->  []interface {}: [b]
keys(n)  ->  failed
keys([1])  ->  refused
keys(empty)  ->  []interface {}: []
values({a: 1})  ->  []interface {}: [1]
values(a.b) | len()  ->  int: 2
values(n)  ->  failed
toPairs({a: 1})  ->  [][2]interface {}: [[a 1]]
toPairs({a: 1})[0][0]  ->  string: a
toPairs({a: 1})[0][0:1]  ->  failed
toPairs(n)  ->  failed
fromPairs([["a", 1], ["b", 2]])  ->  map[interface {}]interface {}: map[a:1 b:2]
fromPairs([["a", 1]])["a"]  ->  int: 1
fromPairs([["a", 1]]).a  ->  int: 1
fromPairs([["a", 1]])["b"]  ->  <nil>: <nil>
fromPairs([[1, "x"]])[1]  ->  string: x
fromPairs([[1, "x"]])[1.0]  ->  <nil>: <nil>
fromPairs([[nil, "x"]])[nil]  ->  string: x
fromPairs([["a"]])  ->  failed
fromPairs(["ab"])  ->  failed
fromPairs([split("a,b", ",")])  ->  map[interface {}]interface {}: map[a:b]
fromPairs([[[1], 2]])  ->  failed
fromPairs(toPairs({a: 1, b: 2})) == fromPairs([["a", 1], ["b", 2]])  ->  bool: true
fromPairs(list)  ->  failed
fromPairs(n)  ->  failed
groupBy(toPairs({a: 1}), #)  ->  map[interface {}][]interface {}: map[[a 1]:[[a 1]]]
sort(ints)  ->  []interface {}: [1 3 5 8]
sort(ints, "desc")  ->  []interface {}: [8 5 3 1]
sort(ints, "asc")  ->  []interface {}: [1 3 5 8]
sort(ints, "foo")  ->  failed
sort(ints, n)  ->  failed
sort(strs)  ->  []interface {}: [a b c]
sort(list)  ->  failed
sort(el)  ->  []interface {}: []
sort([1, 2.0])  ->  failed
sort([3,1,2])  ->  []interface {}: [1 2 3]
sort([true])  ->  []interface {}: [true]
sort([true, false])  ->  failed
sort([nil])  ->  []interface {}: [<nil>]
sort([nil, nil])  ->  failed
sort(objs)  ->  failed
sort(n)  ->  failed
sort("abc")  ->  refused
sort(1..3, "desc")  ->  []interface {}: [3 2 1]
sort([[1]])  ->  []interface {}: [[1]]
sort([[1],[2]])  ->  failed
sort(map(objs, .k))  ->  []interface {}: [1 2 3]
sortBy(objs, "k")  ->  []interface {}: [map[k:1 n:y] map[k:2 n:x] map[k:3 n:x]]
sortBy(objs, "k", "desc")  ->  []interface {}: [map[k:3 n:x] map[k:2 n:x] map[k:1 n:y]]
sortBy(objs, "n")  ->  []interface {}: [map[k:2 n:x] map[k:3 n:x] map[k:1 n:y]]
sortBy(objs, "zz")  ->  failed
sortBy(objs, n)  ->  failed
sortBy(ints, "k")  ->  []interface {}: [1 3 5 8]
sortBy([{"a": 1}, {"a": 2.0}], "a")  ->  failed
sortBy([{a: 2}, {a: 1}], "a")  ->  []interface {}: [map[a:1] map[a:2]]
let x = 1; x + 1  ->  int: 2
let x = n; let y = x; x + y  ->  float64: 14
let x = 1; let x = 2; x  ->  refused
let n = 5; n  ->  int: 5
let len = 5; len  ->  refused
let x = 5, x  ->  refused
let x 5; x  ->  refused
let = 5; 1  ->  refused
let $env = {n: 1}; $env.n  ->  int: 1
1 + let x = 1; x  ->  refused
(let x = 1; x) + 1  ->  int: 2
let x = [1,2]; "a" in x  ->  refused
let x = [1,2]; 1 in x  ->  bool: true
let f = trim; f("  a ")  ->  string: a
let f = len; f("abc")  ->  failed
let f = asInt; f("5")  ->  int: 5
let f = duration("1m").Seconds; f()  ->  float64: 60
let x = a; x.b.c  ->  float64: 1.5
let x = missing; x?.y  ->  <nil>: <nil>
let x = 1..3; x[0]  ->  int: 1
map(ints, {let x = # * 2; x + 1})  ->  []interface {}: [11 7 17 3]
let x = 5; map(ints, # + x)  ->  []interface {}: [10 8 13 6]
map(ints, let n = #; n + 1)  ->  []interface {}: [6 4 9 2]
$env.n  ->  float64: 7
$env["n"]  ->  float64: 7
$env[s]  ->  <nil>: <nil>
$env["missing"]  ->  <nil>: <nil>
$env.missing  ->  <nil>: <nil>
$env.a.b.c  ->  float64: 1.5
$env.len  ->  float64: 5
$env.len("abc")  ->  failed
$env.trim(" a ")  ->  string: a
$env.asInt("5")  ->  int: 5
$env.sprig.upper("a")  ->  string: A
len($env) > 5  ->  bool: true
"n" in $env  ->  bool: true
"asInt" in $env  ->  bool: true
"zz" in $env  ->  bool: false
$env?.n  ->  float64: 7
$env?.missing?.x  ->  <nil>: <nil>
$env.missing.x  ->  failed
type($env)  ->  string: map
toJSON($env)  ->  failed
asInt("42")  ->  int: 42
asInt(f)  ->  int: 2
asInt(nil)  ->  failed
asInt()  ->  failed
asInt(1, 2)  ->  failed
asInt("x")  ->  failed
asInt(s) == 1  ->  failed
asFloat("1.5")  ->  float64: 1.5
asFloat(n)  ->  float64: 7
asInt == nil  ->  bool: false
jsonpath(j, "$.a[0]")  ->  float64: 1
jsonpath(j, "$.a[1].b")  ->  float64: 2
jsonpath(j, "$.a")  ->  []interface {}: [1 map[b:2]]
jsonpath(j, "$.zz")  ->  failed
jsonpath(j, "$")  ->  map[string]interface {}: map[a:[1 map[b:2]] c:x]
jsonpath(j, "$..b")  ->  []interface {}: [2]
jsonpath(j, "$.a.length")  ->  int64: 2
jsonpath(j, "$.a[*]")  ->  []interface {}: [1 map[b:2]]
jsonpath(j, "a")  ->  failed
jsonpath(j, "")  ->  failed
jsonpath(j, n)  ->  failed
jsonpath(n, "$")  ->  failed
jsonpath("x", "$")  ->  failed
jsonpath(nil, "$")  ->  failed
jsonpath(a, "$")  ->  failed
jsonpath(toJson(a), "$.b.c")  ->  float64: 1.5
jsonpath(toJson(a), "$.b.c") == 1.5  ->  bool: true
toJson(a, a)  ->  failed
toJson()  ->  failed
len == 5  ->  refused
len  ->  float64: 5
type == "push"  ->  refused
type  ->  string: push
string(len)  ->  string: 5
[len]  ->  []interface {}: [5]
len ?? 1  ->  float64: 5
len.x  ->  refused
trim == trim  ->  bool: true
my_key  ->  float64: 1
my_key == 1  ->  bool: true
x.y  ->  float64: 2
x.z.w  ->  float64: 3
x.z  ->  map[string]interface {}: map[w:3]
x  ->  map[string]interface {}: map[y:2 z:map[w:3]]
a.b.c.d  ->  failed
a..b  ->  failed
a.  ->  refused
.a  ->  refused
#  ->  refused
# + 1  ->  refused
#index  ->  refused
a b  ->  refused
1 2  ->  refused
(1  ->  refused
1)  ->  refused
[1  ->  refused
{a: 1  ->  refused
foo(  ->  refused
foo()  ->  failed
foo(1)  ->  failed
a()  ->  failed
a.b()  ->  failed
n.x()  ->  failed
missing()  ->  failed
missing.x()  ->  failed
"abc".foo  ->  refused
"abc"[0]  ->  refused
("abc")[0]  ->  refused
("abc")[0:1]  ->  string: a
1.5.foo  ->  refused
true.foo  ->  refused
(true).foo  ->  refused
[1].foo  ->  refused
{"a": 1}.b  ->  <nil>: <nil>
{"a": 1}.b.c  ->  failed
'abc'  ->  string: abc
'a\'b'  ->  string: a'b
"a\"b"  ->  string: a"b
"a\x41"  ->  string: aA
"\u00e9"  ->  string: é
"\U0001F600"  ->  string: 😀
"\101"  ->  string: A
"\400"  ->  refused
"\ud800"  ->  string: �
"\xff"  ->  string: ÿ
"\q"  ->  refused
"\'"  ->  refused
'\"'  ->  refused
"a  ->  refused
"abc  ->  refused
0x1F  ->  int: 31
0X1F  ->  refused
0b11  ->  refused
0o17  ->  refused
017  ->  int: 17
1_000  ->  int: 1000
1e3  ->  float64: 1000
1E3  ->  float64: 1000
1.e3  ->  float64: 1000
.5  ->  float64: 0.5
5.  ->  float64: 5
1.5.5  ->  refused
1__0  ->  int: 10
_1  ->  <nil>: <nil>
1_  ->  int: 1
0x  ->  refused
0x_1  ->  int: 1
1e  ->  refused
1e+  ->  refused
1e400  ->  refused
9223372036854775807  ->  int: 9223372036854775807
9223372036854775808  ->  refused
-9223372036854775808  ->  refused
-9223372036854775807 - 1  ->  int: -9223372036854775808
9223372036854775807 + 1  ->  int: -9223372036854775808
n + 9223372036854775807  ->  float64: 9.223372036854776e+18
int(n) + 9223372036854775807  ->  int: -9223372036854775802
9223372036854775807 * 2  ->  int: -2
0xFFFFFFFFFFFFFFFF  ->  refused
1a  ->  refused
$x  ->  <nil>: <nil>
früh  ->  <nil>: <nil>
n // comment  ->  float64: 7
n /* c */ + 1  ->  float64: 8
n /* c  ->  refused
/* a */ n  ->  float64: 7
// only  ->  refused
n == 7 // true  ->  bool: true
n==7&&t  ->  bool: true
n ==7 and t  ->  bool: true
n = 7  ->  refused
n === 7  ->  refused
n & 7  ->  refused
n && & t  ->  refused
t &&& u  ->  refused
n <> 7  ->  refused
n !== 7  ->  refused
!t == u  ->  bool: true
not t == u  ->  bool: true
not (t == u)  ->  bool: true
not n in [7]  ->  refused
not "a" in ["a"]  ->  refused
n not in [7] or t  ->  bool: true
2 ** 3 ** 2  ->  float64: 512
2 ^ 3 ^ 2  ->  float64: 512
1 - 2 - 3  ->  int: -4
1 + 2 * 3  ->  int: 7
(1 + 2) * 3  ->  int: 9
1 + 2 == 3  ->  bool: true
1 < 2 == true  ->  bool: true
1 < 2 < 3  ->  refused
1 == 1 == true  ->  bool: true
1..2 + 3  ->  []int: [1 2 3 4 5]
1 + 1..3  ->  []int: [2 3]
t ? 1 : 2 + 3  ->  int: 1
t and u or t  ->  bool: true
t or u and u  ->  bool: true
t or t and u  ->  bool: true
u and u or t  ->  bool: true
not not t  ->  bool: true
!!t  ->  bool: true
a not b  ->  refused
[1 not, 2]  ->  []interface {}: [1 2]
(n not)  ->  float64: 7
n == 7 not in [true]  ->  bool: true
t | string()  ->  string: true
t and u | string()  ->  string: false
1 + 2 | string()  ->  string: 3
ints | len() > 2  ->  bool: true
(ints | len()) > 2  ->  bool: true
ints | first | x  ->  refused
ints | map(#) | first()  ->  float64: 5
ints | map(#).x  ->  refused
let x = 1; x | string()  ->  string: 1
t ? ints : el | len()  ->  []interface {}: [5 3 8 1]
map(ints, .x)  ->  failed
map(objs, .)  ->  refused
map(objs, .k.z)  ->  failed
map(objs, #.k)  ->  []interface {}: [2 1 3]
map(objs, # .k)  ->  []interface {}: [2 1 3]
map(objs, #k)  ->  refused
map(objs, #acc)  ->  refused
map(objs, ##)  ->  refused
filter(objs, any(ints, # == 3) and .k == 1)  ->  []interface {}: [map[k:1 n:y]]
map(objs, filter(ints, # > 4))  ->  []interface {}: [[5 8] [5 8] [5 8]]
any(objs, {any(ints, {# > .k})})  ->  failed
map(ints, map(strs, #))  ->  []interface {}: [[b a c] [b a c] [b a c] [b a c]]
map([[1,2],[3]], sum(#))  ->  []interface {}: [3 3]
map([[1,2],[3]], reduce(#, #acc + #, len(#)))  ->  failed
all(objs, {.k > 0 and .n in ["x", "y"]})  ->  bool: true
all(objs, {.n matches "x|y"})  ->  bool: true
all(strs, {# matches "^[a-c]$"})  ->  bool: true
any(strs, s contains #)  ->  bool: false
any(strs, {s matches #})  ->  bool: false
sprig.upper("a")  ->  string: A
sprig.upper(s)  ->  string: HÉLLO WÖRLD
sprig.upper(n)  ->  failed
sprig.upper(nil)  ->  failed
sprig.upper()  ->  failed
sprig.upper("a", "b")  ->  failed
sprig.nope("a")  ->  failed
sprig.nope  ->  <nil>: <nil>
sprig.upper == nil  ->  bool: false
sprig.nope == nil  ->  bool: true
sprig?.nope?.x  ->  <nil>: <nil>
"upper" in sprig  ->  bool: true
sprig.env("HOME")  ->  failed
sprig.expandenv("HOME")  ->  failed
sprig.trunc(5, "hello world")  ->  string: hello
sprig.trunc(n, "hello world")  ->  failed
sprig.trunc(int(n), "hello world")  ->  string: hello w
sprig.add(1, 2)  ->  int64: 3
sprig.add(1, 2) == 3  ->  bool: true
sprig.add(n, 2)  ->  int64: 9
[sprig.add(1, 2)] == [3]  ->  bool: false
sprig.add(1,2) + 1  ->  int: 4
sprig.add(1,2) % 2  ->  int: 1
sprig.trunc(sprig.add(1,2), "hello")  ->  failed
1..sprig.add(1,2)  ->  []int: [1 2 3]
sprig.splitList(",", "a,b")  ->  []string: [a b]
sprig.splitList(",", "a,b")[1]  ->  string: b
sprig.split(",", "a,b")  ->  map[string]string: map[_0:a _1:b]
sprig.split(",", "a,b")._1  ->  string: b
sprig.list(1, "a")  ->  []interface {}: [1 a]
sprig.list(1, 2)[0] == 1  ->  bool: true
sprig.dict("a", 1)  ->  map[string]interface {}: map[a:1]
sprig.dict("a", 1).a  ->  int: 1
sprig.default("x", nil)  ->  string: x
sprig.default("x", s)  ->  string: héllo wörld
sprig.default("x", es)  ->  string: x
sprig.ternary("a", "b", t)  ->  string: a
sprig.ternary("a", "b", n)  ->  failed
sprig.coalesce(nil, "", "x")  ->  string: x
sprig.contains("a", "abc")  ->  bool: true
sprig.hasPrefix("a", "abc")  ->  bool: true
sprig.semverCompare(">=1.2.0", "1.3.0")  ->  bool: true
sprig.semverCompare("x", "1.3.0")  ->  bool: true
sprig.b64enc("a")  ->  string: YQ==
sprig.b64dec("%%")  ->  string: illegal base64 data at input byte 0
sprig.sha256sum("a")  ->  string: ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb
sprig.until(3)  ->  []int: [0 1 2]
sprig.until(3) == 0..2  ->  bool: true
sprig.untilStep(0, 6, 2)  ->  []int: [0 2 4]
sprig.first(ints)  ->  float64: 5
sprig.first(el)  ->  <nil>: <nil>
sprig.first(1..3)  ->  int: 1
sprig.last(strs)  ->  string: c
sprig.has(3, ints)  ->  bool: false
sprig.has(3.0, ints)  ->  bool: true
sprig.join(",", strs)  ->  string: b,a,c
sprig.join("-", ints)  ->  string: 5-3-8-1
sprig.toString(n)  ->  string: 7
sprig.int64(n)  ->  int64: 7
sprig.int(n)  ->  int: 7
sprig.float64("1.5")  ->  float64: 1.5
sprig.atoi("5")  ->  int: 5
sprig.max(1, 2, n)  ->  int64: 7
sprig.maxf(1, 2.5)  ->  float64: 2.5
sprig.round(f, 0)  ->  float64: 3
sprig.round(2.567, 2)  ->  float64: 2.57
sprig.regexMatch("^h", s)  ->  bool: true
sprig.regexReplaceAll("l", s, "L")  ->  string: héLLo wörLd
sprig.regexFind("[", s)  ->  failed
sprig.mustRegexFind("[", s)  ->  failed
sprig.toDate("2006-01-02", "2024-03-01")  ->  time.Time: 2024-03-01T00:00:00Z
sprig.toDate("2006-01-02", "2024-03-01").Year()  ->  int: 2024
sprig.toDate("2006-01-02", "2024-03-01") == date("2024-03-01")  ->  bool: true
sprig.unixEpoch(date("2024-03-01"))  ->  string: 1709251200
sprig.dateModify("1h", date("2024-03-01"))  ->  time.Time: 2024-03-01T01:00:00Z
sprig.duration("95")  ->  string: 1m35s
sprig.toJson(a)  ->  string: {"b":{"c":1.5,"d":null}}
sprig.fromJson(j).c  ->  string: x
sprig.values(a.b) | len()  ->  int: 2
sprig.hasKey(a, "b")  ->  bool: true
sprig.hasKey(nil, "b")  ->  failed
sprig.get(a, "b")  ->  map[string]interface {}: map[c:1.5 d:<nil>]
sprig.set({a: 1}, "b", 2)  ->  map[string]interface {}: map[a:1 b:2]
sprig.set(a, "q", 2).q  ->  int: 2
sprig.merge({a: 1}, {b: 2})  ->  map[string]interface {}: map[a:1 b:2]
sprig.dig("b", "c", 0, a)  ->  float64: 1.5
sprig.pluck("k", {k: 1}, {k: 2})  ->  []interface {}: [1 2]
sprig.kindOf(n)  ->  string: float64
sprig.kindOf(1)  ->  string: int
sprig.kindOf(list)  ->  string: slice
sprig.typeOf(n)  ->  string: float64
sprig.typeOf(a)  ->  string: map[string]interface {}
sprig.typeIs("string", s)  ->  bool: true
sprig.urlParse("http://a.b/c?d=e").host  ->  string: a.b
sprig.title("hello")  ->  string: Hello
sprig.snakecase("HelloWorld")  ->  string: hello_world
sprig.camelcase("hello_world")  ->  string: HelloWorld
sprig.nospace("a b")  ->  string: ab
sprig.cat("a", 1, n)  ->  string: a 1 7
sprig.quote(s, 1)  ->  string: "héllo wörld" "1"
sprig.replace("a", "b", "aaa")  ->  string: bbb
sprig.plural("one", "many", 2)  ->  string: many
sprig.seq(1, 5)  ->  string: 1 2 3 4 5
sprig.sortAlpha(strs)  ->  []string: [a b c]
sprig.uniq([1, 1, 2])  ->  []interface {}: [1 2]
sprig.without([1, 2], 1)  ->  []interface {}: [2]
sprig.reverse([1, 2])  ->  []interface {}: [2 1]
sprig.chunk(2, [1,2,3])  ->  [][]interface {}: [[1 2] [3]]
sprig.compact(["", "a"])  ->  []interface {}: [a]
sprig.fail("x")  ->  failed
sprig.empty(es)  ->  bool: true
sprig.all(1, 0)  ->  bool: false
sprig.any(1, 0)  ->  bool: true
sprig.semver("1.2.3").Major()  ->  uint64: 1
sprig.semver("1.2.3").Minor() == 2  ->  bool: true
sprig.upper(1 + "a")  ->  failed
sprig.upper(trim(" a "))  ->  string: A
sprig.upper(trim(" a ") + "b")  ->  string: AB
sprig.upper(s matches "[")  ->  failed
sprig.ternary("a", "b", s matches "^h")  ->  string: a
sprig.list(1 == "a", nil == 1, not true)  ->  []interface {}: [false false false]
sprig.list(not nil)  ->  failed
sprig.list(len(1))  ->  failed
sprig.list(trim())  ->  failed
sprig.list(filter(ints, # > 4))  ->  []interface {}: [[5 8]]
sprig.list(duration("1m").Seconds())  ->  []interface {}: [60]
sprig.list(1 in [1,2], n in ["a"])  ->  failed
sprig.list(len("abc") in [3])  ->  []interface {}: [true]
sprig.list(max(1, 2.5) == 2)  ->  []interface {}: [false]
sprig.list($env.trim(" a "))  ->  failed
sprig.list(let q = 1; q)  ->  []interface {}: [1]
sprig.list(find(1..3, # > 5) == 5)  ->  []interface {}: [false]
x?.y  ->  float64: 2
x?.["y"]  ->  refused
a?.b["c"]  ->  float64: 1.5
a?.[0]  ->  refused
a?[0]  ->  refused
a ?.b  ->  map[string]interface {}: map[c:1.5 d:<nil>]
a? .b : 1  ->  refused
t ?.b : 1  ->  refused
foo.bar.baz ?? "x"  ->  failed
foo?.bar.baz ?? "x"  ->  string: x
a.in  ->  <nil>: <nil>
a.not  ->  <nil>: <nil>
a.let  ->  <nil>: <nil>
a.true  ->  <nil>: <nil>
a.b .c  ->  float64: 1.5
a . b . c  ->  float64: 1.5
"""
