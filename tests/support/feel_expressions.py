"""Expressions and unary tests for comparisons of FEEL engines: systematic ones, and random ones from a seed.

A case is the text of an expression, or a pair of unary tests and the expression of their input.
"""

import random
from collections.abc import Iterator
from itertools import product

Case = str | tuple[str, str]

VARIABLES = (
    '{x: 5, i: 2, half: 0.5, name: "annabel", empty: "", flag: true, none: null, tags: ["a", "b", "a"], '
    "numbers: [3, 1, 2], nested: [[1, 2], [3]], items: [{price: 5}, {price: 11}, {price: 12}], nothing: [], "
    'person: {name: {first: "Li"}, age: 40}, day: @"2024-02-29", moment: @"2024-02-29T10:11:12Z", '
    'clock: @"10:11:12", span: @"P1DT2H", months: @"P1Y2M", `with blank`: 7}'
)

FITTING = {
    "number": ["0", "1", "2", "-1", "2.5", "-1.5", "10", "x", "half", "1234.5678"],
    "string": ['"foobar"', '""', '"a"', '"o"', "name", '"2024-02-29"', '"PT1H"', '"12"', '"Ab c"', '"录x"'],
    "pattern": ['"o+"', '"[a-c]"', '"(f)(o)"', '"."', '"("', '"\\\\d+"', '"^f"', '"b|r"', '"\\\\s"'],
    "flags": ['"i"', '"s"', '"x"', '"im"', '"q"', '""'],
    "boolean": ["true", "false", "flag"],
    "list": ["[1, 2, 3]", "[]", '["a", null]', "numbers", "tags", "[[1], 2]", "items", "[3, 1, 3]", "nothing"],
    "numbers": ["[1, 2, 3]", "numbers", "[2.5]", "[6, 3, 9, 6, 6]", "[]"],
    "booleans": ["[true, false]", "[true, null]", "[]", "[false]", "[true]"],
    "strings": ['["a", "b"]', "tags", '["x", null]', "[]"],
    "lists": ["[1]", "[2, 3]", "nested", "5"],
    "context": ["{a: 1, b: 2}", "{}", "person", "{a: {c: 3}}"],
    "contexts": ["[{a: 1}, {b: 2}]", "{a: 1}", "items"],
    "entries": ['[{key: "a", value: 1}]', "[]", '[{key: "a"}]', "[{value: 1}]"],
    "key": ['"a"', '"c"', '["a", "c"]', '["name", "first"]', "[]"],
    "function": ["function(a, b) a < b", "function(a, b) a > b", "function(a) a", "function(a, b) null"],
    "date": ['@"2024-02-29"', "day", "moment", '@"2024-12-31T23:00:00"', 'date("2023-01-01")'],
    "time": ['@"10:11:12"', "clock", '@"23:59:59+02:00"', '"Europe/Berlin"', '@"00:00:00Z"'],
    "duration": ['@"P1D"', '@"P1Y2M"', "span", "months", '@"-PT90M"', '@"PT0.5S"'],
    "offset": ['@"PT1H"', '@"-PT5H30M"', "null", '@"PT20H"'],
    "instant": ['"2024-02-29T10:00:00"', '"2024-02-29"', '"2024-02-30"', '"2024-02-29T10:00:00+02:00"', '"soon"'],
    "clock text": ['"10:11:12"', '"10:11"', '"T10:11:12Z"', '"25:00:00"', '"10:11:12@Europe/Berlin"'],
    "period": ['"P1D"', '"PT36H"', '"P14M"', '"-P1Y"', '"P"', '"P1Y1D"', '"PT1.5S"'],
    "numeral": ['"12.5"', '"1,000"', '"1e3"', '"abc"', '"-7"', '" 1"', '"1.000,5"'],
    "separator": ['","', '"."', '" "', '"x"', "null"],
    "scale": ["0", "1", "2", "-1"],
    "position": ["1", "2", "-1", "0", "9", "-9"],
    "mode": ['"half_up"', '"DOWN"', '"sideways"', '"UNNECESSARY"'],
    "point": ["1", "5", "10", '@"2024-02-29"'],
    "range": ["[1..5]", "(1..5]", "[5..10)", '[@"2024-01-01"..@"2024-12-31"]', "[1..10]", "(5..10)"],
    "any": ["1", '"a"', "null", "[1]", "true", "person"],
}
UNFITTING = ["null", "1", '"a"', "true", "[]", "[1, 2]", "{a: 1}", '@"2024-02-29"', '@"10:00:00"', '@"PT1H"',
             '@"P1Y"', "none", "missing", "[1..2]"]  # fmt: skip

# name | kind and name of each parameter
TABLE = """
substring | string:string,position:start position
substring | string:string,position:start position,position:length
string length | string:string
upper case | string:string
lower case | string:string
substring before | string:string,string:match
substring after | string:string,string:match
contains | string:string,string:match
starts with | string:string,string:match
ends with | string:string,string:match
replace | string:input,pattern:pattern,string:replacement
replace | string:input,pattern:pattern,string:replacement,flags:flags
matches | string:input,pattern:pattern
matches | string:input,pattern:pattern,flags:flags
split | string:string,pattern:delimiter
extract | string:input,pattern:pattern
trim | string:string
is blank | string:string
to base64 | string:value
string join | strings:list
string join | strings:list,separator:delimiter
string join | strings:list,separator:delimiter,string:prefix,string:suffix
decimal | number:n,scale:scale
decimal | number:n,scale:scale,mode:mode
floor | number:n
floor | number:n,scale:scale
ceiling | number:n
ceiling | number:n,scale:scale
round up | number:n,scale:scale
round down | number:n,scale:scale
round half up | number:n,scale:scale
round half down | number:n,scale:scale
abs | number:n
abs | duration:number
modulo | number:dividend,number:divisor
sqrt | number:number
log | number:number
exp | scale:number
odd | number:number
even | number:number
list contains | list:list,any:element
count | list:list
min | numbers:list
max | numbers:list
min | date:list
sum | numbers:list
product | numbers:list
mean | numbers:list
median | numbers:list
stddev | numbers:list
mode | numbers:list
and | booleans:list
all | booleans:list
or | booleans:list
any | booleans:list
sublist | list:list,position:start
sublist | list:list,position:start,position:length
append | list:list,any:items
concatenate | lists:lists
insert before | list:list,position:position,any:newItem
remove | list:list,position:position
reverse | list:list
index of | list:list,any:match
union | lists:lists
distinct values | list:list
duplicate values | list:list
flatten | list:list
sort | numbers:list,function:precedes
is empty | list:list
partition | list:list,position:size
get value | context:context,key:key
get entries | context:context
context put | context:context,key:key,any:value
put | context:context,key:key,any:value
context merge | contexts:contexts
put all | contexts:contexts
context | entries:entries
not | boolean:negand
is defined | any:value
get or else | any:value,any:default
assert | any:value,boolean:condition
assert | any:value,boolean:condition,string:cause
date | instant:from
date | date:from
date | number:year,number:month,number:day
time | clock text:from
time | date:from
time | number:hour,number:minute,number:second
time | number:hour,number:minute,number:second,offset:offset
date and time | instant:from
date and time | date:date,time:time
duration | period:from
years and months duration | date:from,date:to
number | numeral:from
number | numeral:from,separator:grouping separator
number | numeral:from,separator:grouping separator,separator:decimal separator
string | any:from
string | date:from
string | duration:from
string | number:from
day of year | date:date
day of week | date:date
month of year | date:date
week of year | date:date
last day of month | date:date
before | point:point,range:range
before | range:range,point:point
before | point:point1,point:point2
before | range:range1,range:range2
after | point:point,range:range
after | range:range,point:point
after | point:point1,point:point2
after | range:range1,range:range2
meets | range:range1,range:range2
met by | range:range1,range:range2
overlaps | range:range1,range:range2
overlaps before | range:range1,range:range2
overlaps after | range:range1,range:range2
finishes | point:point,range:range
finishes | range:range1,range:range2
finished by | range:range,point:point
finished by | range:range1,range:range2
includes | range:range,point:point
includes | range:range1,range:range2
during | point:point,range:range
during | range:range1,range:range2
starts | point:point,range:range
starts | range:range1,range:range2
started by | range:range,point:point
started by | range:range1,range:range2
coincides | point:point1,point:point2
coincides | range:range1,range:range2
unknown thing | any:value
"""


def _built_ins() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield each built-in: its name, and kind and name of each of its parameters."""
    for line in TABLE.strip().splitlines():
        name, parts = line.split(" | ")
        yield name, [(kind, param) for kind, _, param in (part.partition(":") for part in parts.split(","))]


BUILT_INS = list(_built_ins())


OPERANDS = ["1", "0", "-2.5", '"a"', '"b"', "true", "null", "[1]", "[1, 2]", "{a: 1}", '@"2024-02-29"', "moment",
            '@"2024-02-29T12:11:12+02:00"', '@"2024-02-29T10:11:12"', "clock", '@"10:11:12+01:00"', "span", "months",
            '@"PT36H"', "missing", "x", "person", "items", "upper case(5)", "2 ** 0.5"]  # fmt: skip
OPERATORS = ["+", "-", "*", "/", "**", "=", "!=", "<", "<=", ">", ">=", "and", "or"]
TESTS = ["5", "< 5", "<= 5", "> 4", ">= 6", "[1..5]", "(1..5)", "]1..5[", "[1..5)", "not(5)", "not(< 3)", "-", "true",
         "false", "not(true)", "true, false", "false, true", "null", "not(null)", "3, 5", "< 3, > 4", '"a"', '"a", "b"',
         'not("a", "b")', "? > 4", "? > 4 and ? < 6", "odd(?)", "x", "tags", "numbers", "count(?) > 1", "[1, 2]",
         'list contains(?, "a")', "? = null", "cellInput = 5", "missing", "> missing", "[missing..5]", "? + 1 = 6",
         '@"2024-02-29"', '>= @"2024-01-01"', "if ? > 3 then true else false", "upper case(?) = name", "nested",
         'some t in ? satisfies t = "a"', "not(? > 4)", "{a: 1}", "> 4 and < 6", "[1..5] and true", "5 or 6", "(5)",
         "[?]", "count([?]) = 1", '? in ["a", "b"]', "? in (1..6)", "starts with(?, \"a\")", "not(odd(?))",
         '["a".."c"]', "span", "> @\"P1D\"", "false or true", "1 = 1", "1 = 2", "not(1 = 2)"]  # fmt: skip
INPUTS = ["5", "null", '"a"', "true", "false", "[1, 2]", "tags", "day", "{a: 1}", "6", "2", "span", "missing"]

BY_HAND = r"""
if null then 1 else 2
if "a" then 1 else 2
if none then 1 else if x = 5 then 2 else 3
if true then before(1, "a") else 2
if flag then [1.."a"] else 2
for a in [1, 2] return a * 2
for a in 1..3 return a
for a in 3..1 return a
for a in 1..1 return a
for a in 0.5..3 return a
for a in -1..i return a
for a in [1, 2], b in [10, 20] return a * b
for a in [1, 2], b in [a, 3] return b
for a in [[1, 2], [3]], b in a return b
for a in 1..5 return if a = 1 then 1 else a * partial[-1]
for a in null return a
for a in 5 return a
for a in [] return a
for a in @"2024-01-01"..@"2024-01-03" return a
for a in [1..3] return a
for a in items return a.price
for a in [1, 2] return [1.."a"]
some a in [1, 2] satisfies a > 1
some a in [] satisfies true
some a in null satisfies a
some a in [1, null] satisfies a > 1
some a in [1, "x"] satisfies a
some a in [1, 2], b in [2, 3] satisfies a = b
every a in [1, 2] satisfies a > 0
every a in [] satisfies false
every a in [1, null] satisfies a > 0
every a in 5 satisfies true
every a in [1, 2], b in [2, 3] satisfies a < b
x between 3 and 5
x between 6 and 7 or x = 5
none between 1 and 2
"b" between "a" and "c"
x between "a" and 9
day between @"2024-01-01" and @"2024-12-31"
x in [1..5]
x in (1..5)
x in [1..5[
x in ]5..6]
x in (1, 2, 5)
x in (< 3, > 4)
x in > 5
x in 5 and i = 2
x in > 4 and i = 2
x in [1..9] and i = 2
x in [1, 5]
x in [[1..2], [4..6]]
x in (numbers, tags)
x in not(5)
none in (null, 1)
name in ["a".."b"]
x in ["a".."b"]
missing in [1..2]
x in null
x in "a"
x in (true)
flag in true
flag in false
1 instance of number
"a" instance of string
true instance of boolean
[1] instance of list
{a: 1} instance of context
(function(a) a) instance of function
day instance of date
clock instance of time
moment instance of date and time
months instance of years and months duration
span instance of days and time duration
null instance of Any
1 instance of Any
missing instance of number
1 instance of string
1 + null instance of number
x instance of date time
x instance of null
x instance of list<number>
x instance of tSomething
person.name.first
person.missing
person.missing.more
missing.name
name.first
items.price
items[1].price
items[-1].price
items[i].price
items[i + 1].price
items[0]
items[4]
items[-4]
items[1.5]
items[price > 10]
items[item.price > 10].price
items[price > x * i].price
items[price != 5]
items[price between 6 and 11]
items[price in [6..11]]
items[price instance of number]
items[odd(price)]
items[none]
items[flag]
items["a"]
items[count([1])]
items[-i]
tags[item = "b"]
tags[item != "b"]
tags[item = "z"]
numbers[item > 1][1]
[[1, 2], [3]][1][2]
[][1]
[][item > 1]
null[1]
5[1]
5[item = 5]
"x"[1]
"x"[item = "x"]
{a: 1}[1]
{a: 1}[a = 1]
day[1]
missing[1]
[1, "a", null][item > 0]
[{a: 1}, {b: 2}][a = null]
[{a: 1}, 5][a = 1]
[{item: 3}][item = 3]
`with blank` + 1
with blank + 1
{a: 1, b: a + 1}
{a: 1}.a
{"a b": 1, c d: 2, e+f: 3}
{"a b": 1}.`a b`
{a: 1, a: 2}
{a: {b: 1}, c: a.b}
{f: function(a, b) a + b, r: f(1, 2)}.r
{f: function(a, b) a - b, r: f(b: 1, a: 3)}.r
{f: function(a, b) a, r: f(a: 3)}.r
{f: function(a) a, r: f(c: 1)}.r
{f: function(a) a, r: f(1, 2)}.r
{f: function(a) a * x}.f(3)
{f: function(a) a}.g(3)
{f: function(a) a}
{f: function(a) a, g: f}.g
{f: function(n) if n < 2 then 1 else n * f(n - 1), r: f(5)}.r
{my sum: function(a, b) a + b, r: my sum(1, 2)}.r
{count: function(a) 99, r: count([])}.r
{abs: function(a, b) 99, r: abs(-1)}.r
{apply: function(f, v) f(v), r: apply(function(y) y + 1, 1)}.r
{f: function(a) [1.."a"], r: f(1)}.r
get entries({f: function(a) a, b: 1})
string({f: function(a) a, b: 1})
person.age(1)
x.f(1)
null.f(1)
(function(a) a + 1)(2)
[1..2]
[1..2] = [1..2]
[1..2].start
(1..2)
> 5
< 5 and true
{c: [1..2]}
[[1..2]]
count([[1..2]])
[1.."a"]
["a".."b"]
before([1.."a"], 3)
is defined([1.."a"])
get or else(before([1.."a"], 3), 7)
[count(null)]
{a: upper case(5)}
count(null) = null
count(null) = 0
get or else(count(none), 0)
if count(null) then 1 else 2
count(null) and false
1 + count(null)
unknown(1)[1]
[unknown(1), 2]
[assert(x, x = 5)]
[assert(x, x = 6)]
get or else(assert(x, false), 1)
if false then assert(x, false) else 1
false and assert(true, false)
[1] < [2]
[] < []
["a"] = ["a", "b"]
[1, [2]] = [1, [2]]
[1, "a"] = ["a", 1]
[null] = [null]
{a: 1, b: 2} = {b: 2, a: 1}
{a: 1} = {a: 1, b: 2}
{a: null} = {}
true < false
true = "true"
list contains([{a: 1}], {a: 1})
index of([{a: 1}], {a: 1})
list contains([[1]], [1])
distinct values([1, 1.0, "1", true, null, null])
min([[1], [2]])
max("a", "b")
max(1, "b")
min()
min(1)
min([1, null])
sum(1, 2)
sum([@"P1D"])
append([1])
append([1], 2, 3)
append([1], [2])
append(list: [1], items: [2])
append(list: [1], items: 2)
concatenate([1, 2])
concatenate([[1], [2]])
concatenate([1], null, 2)
union([1, 2], [2, 3])
context merge({a: 1}, {b: 2}, {a: 3})
count([1], [2])
count()
count(list: [1])
count("list": [1])
count(items: [1])
substring(start position: 2, string: "abc")
substring(string: "abc")
substring(string: "abc", nonsense: 2)
floor(n: 1.55, scale: 1)
floor(n: 1.55, scala: 1)
round half down(n: 1.55, scale: 1)
number(from: "1.000,5", grouping separator: ".", decimal separator: ",")
before(range: [1..5], point: 10)
finished by(range: [1..5], point: 5)
get value(m: {a: 1}, key: "a")
"a\nb\t\"c\" \\d \d"
"\u5f55\U01F40E"
"\\n"
"\\\n"
"it\'s"
"a↵b"
string length("🐎ab")
substring("录🐎取", 2, 2)
upper case("straße")
reverse(["🐎"])
"🐎" < "录"
1e3
.5
1.
-1
--1
- 1
---1
007
1234567890123456789012345678901234567890
0.1 + 0.2
1 / 3
2 / 3 * 3
1 / 0
0 / 0
2 ** 10
2 ** -1
2 ** 0.5
(-1) ** 0.5
0 ** -1
0 ** 0
2 ** 3 ** 2
-2 ** 2
10 ** 40
string(10 ** 40)
string(1 / 3)
string(1.10)
string(100 * 1.0)
string(0.0000001)
string(1.5 - 1.5)
string(-0.0)
string(decimal(1234, -2))
string(decimal(1.5, 3))
string(sqrt(16))
string(1.0 * 3)
string(10 / 4)
string(100 / 10)
sqrt(2)
exp(1)
log(10)
log(0)
modulo(-12, 5)
modulo(10.1, 4.5)
modulo(1, 0)
1 + 2 * 3
7 - 2 - 1
8 / 4 / 2
true or false and false
not(true) or true
true and null
null and false
null or true
null or false
1 and true
"a" or true
missing or true
a b
then
x = 5 = true
x < 5 < 6
1 2
[1, 2
f(1
"abc
`abc
@"nonsense"
@"P1D"
@"2024-02-30"
date("2024-02-30")
date and time("2024-02-29")
date and time("2024-02-29T24:00:00")
date and time("2024-02-29T10:11")
date and time("2024-02-29T10:00:00+02:00[Europe/Berlin]")
date and time("2024-02-29T10:00:00@Europe/Berlin")
@"2024-07-01T10:00:00@Europe/Berlin" = @"2024-07-01T10:00:00+02:00"
@"2024-07-01T10:00:00@Europe/Berlin".time offset
@"2024-07-01T10:00:00@Europe/Berlin".timezone
@"2024-07-01T10:00:00+02:00".timezone
@"10:11:12@Europe/Berlin".time offset
@"10:11:12@Europe/Berlin".timezone
@"2024-03-31T02:30:00@Europe/Berlin"
@"2024-03-31T01:30:00@Europe/Berlin" + @"PT1H"
@"2024-10-27T02:30:00@Europe/Berlin" + @"PT1H"
date and time(@"2020-07-31T14:27:30@Europe/Berlin", "America/Los_Angeles")
date and time(@"2020-07-31T14:27:30", "Nowhere/City")
date and time(@"2020-07-31T14:27:30", "Z")
date and time(@"2020-07-31T14:27:30", "+02:00")
time(@"2024-07-01T10:00:00@Europe/Berlin")
time("10:00Z")
time("10:11:12.5")
time("T10:11:12")
time(23, 59, 1.5)
time(23, 59, 1.5, null)
time(24, 0, 0)
time(14, 30, 0, duration("PT1H"))
date(2024, 2, 30)
date(2024.9, 2, 3)
@"2024-01-01T12:00:00+02:00" = @"2024-01-01T10:00:00Z"
@"2024-01-01T12:00:00+02:00" <= @"2024-01-01T10:00:00Z"
@"2024-01-01T12:00:00+02:00" < @"2024-01-01T10:00:01Z"
@"2024-01-01T10:00:00" < @"2024-01-01T10:00:00Z"
@"10:00:00+01:00" = @"09:00:00Z"
@"10:00:00+01:00" - @"10:00:00Z"
@"2021-01-01T10:00:00Z" - @"2021-01-01"
@"2024-03-01" - @"2024-02-01"
@"2024-01-31" + @"P1M"
@"2024-02-28" + @"PT36H"
@"2024-02-28" - @"PT36H"
@"P1D" + @"2024-02-28"
@"P1D" - @"2024-02-28"
@"P1D" + @"P1M"
@"P1D" / 4
@"P1D" / 0
@"P30D" / 1
@"P1D" / @"PT7H"
@"P1Y" / @"P5M"
@"P1Y" / 5
1.5 * @"P2M"
@"PT20M" * 3
@"PT20M" * 2.5
-@"P1D"
string(@"PT1.5S")
string(@"-PT1.5S")
string(@"PT0.5S")
@"-PT1.5S".seconds
@"-PT90M".minutes
@"P1DT2H3M4S".hours
@"P14M"
@"P14M".years
@"-P14M".months
@"PT24H"
@"P0D"
@"P0M"
abs(@"-P1Y2M")
@"2024-02-29".weekday
@"2024-02-29".hour
@"10:11:12".hour
@"999999999-12-31" + @"P1D"
@"-0044-03-15"
@"12024-01-01"
@"12024-01-01" > @"2024-01-01"
string([1, "a", null, true, @"P1D"])
string({a: "x", b: [1]})
string(function(a, b) a)
string(null)
string("a")
string(before)
contains("foobar", "OBA")
matches("FOO", "foo")
matches("FOO", "foo", "i")
matches("Ä", "ä", "i")
matches("a\nb", "a.b")
matches("a\nb", "a.b", "s")
matches("ä", "\\w")
matches("٣", "\\d")
matches("录", "^\\p{L}$")
matches("a", "\\p{Lu}")
matches("A", "\\p{Lu}")
matches("hello world", " hello[ ]world", "x")
matches("O", "[A-Z-[OI]]", "i")
matches("O", "[A-Z&&[^OI]]")
matches("P", "[A-Z&&[^OI]]")
matches("ab", "(?R)")
matches("aa", "(a)\\1")
matches("x]", "[]]")
replace("abcd", "(ab)|(a)", "[1=$1][2=$2]")
replace("0123456789", "(\\d{3})(\\d{3})(\\d{4})", "($1) $2-$3")
replace("abc", "b", "$9")
replace("abc", "b", "\\$")
replace("a.b", ".", "x", "q")
replace("abc", "(?<mid>b)", "[${mid}]")
replace("abc", "", "-")
replace("aaa", "a{2}", "b")
split("a;b;c;;", ";")
split("John Doe", "\\s")
split("abc", "")
split(";a", ";")
split("", ";")
extract("references are 1234, 1256, 1378", "12[0-9]*")
extract("abc", "x")
trim("  \t hello\n ")
sort([3, 1, 4], function(a, b) a < b)
sort(list: [3, 1, 2], precedes: function(a, b) a > b)
sort([3, 1])
sort([3, 1], function(a, b) null)
sort([1], function(a, b) null)
sort(["b", "a"], function(a, b) a < b)
{a: 1}.b = null
is defined(missing)
is defined(none)
is defined(person.name)
get or else(missing, "z")
get or else(person.age, 1)
count(items[price > 10]) = 2 and not(false)
if round = null then 1 else round + 1
name + "@" + string(x)
? > 1
count([?])
function(a) a
function(a: number) a
for a in tags return a + "x"
// comment
1 // a comment
/* a */ 1 /* b */
1 /* unclosed
x.y.z
x . y
items [ 1 ]
abs ( -1 )
`abs`(-1)
date("2024-01-01").year
"abc".length
and(true, false)
or(true, null)
all([true, 1, false])
any()
null()
true()
if x then y
for a in b
some a in b return c
{a 1}
{1: 2}.`1`
{null: 1}
{"a": 1,}
[1,]
f(,)
(1
)
""
context put({x: 1, y: 5}, ["y", "z"], 2)
context put({x: 1}, "y", 2)
context put({x: 1}, [], 2)
get value({x: 1, y: {z: 0}}, ["y", "z"])
get value({x: 1}, [1])
is("a", "a")
list replace([1, 2], 1, 3)
range("[1..2]")
to json({a: 1})
from json("1")
is blank(" ")
is blank("\u00a0")
partition([1, 2, 3], 2)
partition([1, 2], 0)
"""


def written() -> list[Case]:
    """Return the expressions that are written by hand, one a line; ``↵`` stands for a break inside a string."""
    return [line.replace("↵", "\n") for line in BY_HAND.strip().splitlines()]


def call(name: str, *arguments: str) -> str:
    return f"{name}({', '.join(arguments)})"


def calls() -> Iterator[str]:
    """Yield each built-in with arguments that fit, that do not, too few, too many, and by name."""
    for name, params in BUILT_INS:
        kinds = [FITTING[kind] for kind, _ in params]
        fitting = [values[0] for values in kinds]
        yield call(name, *fitting)
        for place, values in enumerate(kinds):
            for value in [*values[1:], *UNFITTING]:
                yield call(name, *fitting[:place], value, *fitting[place + 1 :])
        yield call(name, *fitting[:-1])
        yield call(name, *fitting, "null")
        yield call(name, *fitting, "1", "2")
        named = [f"{param}: {value}" for (_, param), value in zip(params, fitting, strict=True)]
        yield call(name, *named)
        yield call(name, *reversed(named))
        yield call(name, *named[1:], "other: 1")
        yield call(name, named[0])


def systematic() -> list[Case]:
    """Return every case that is not random, each once."""
    cases: list[Case] = [*written(), *calls()]
    cases += [f"{left} {operator} {right}" for left, operator, right in product(OPERANDS, OPERATORS, OPERANDS)]
    cases += [f"-{operand}" for operand in OPERANDS]
    cases += product(TESTS, INPUTS)
    return list(dict.fromkeys(cases))


class Generator:
    """Random expressions; most fit together, some do not."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - draws expressions

    def cases(self, count: int) -> list[Case]:
        return [self._case() for _ in range(count)]

    def _case(self) -> Case:
        if self._random.random() < 0.15:
            return self._tests(), self._random.choice(INPUTS)
        return self.expression(3)

    def _tests(self) -> str:
        tests = ", ".join(self._random.choice([*TESTS[:8], self._test()]) for _ in range(self._random.randint(1, 3)))
        return f"not({tests})" if self._random.random() < 0.2 else tests

    def _test(self) -> str:
        return self._random.choice([f"? {self._random.choice(OPERATORS[5:11])} {self._leaf()}", self.expression(2)])

    def _leaf(self) -> str:
        kind = self._random.choice(list(FITTING))
        return self._random.choice([*OPERANDS, self._random.choice(FITTING[kind]), "item", "partial"])

    def expression(self, depth: int) -> str:
        if depth == 0:
            return self._leaf()
        make = self._random.choice([
            self._call, self._call, self._call, self._operation, self._operation, self._if, self._for, self._quantified,
            self._filter, self._path, self._list, self._context, self._in, self._leaf_at,
        ])  # fmt: skip
        return make(depth - 1)

    def _leaf_at(self, depth: int) -> str:
        return self._leaf()

    def _call(self, depth: int) -> str:
        name, params = self._random.choice(BUILT_INS)
        return call(name, *(self._argument(kind, depth) for kind, _ in params))

    def _argument(self, kind: str, depth: int) -> str:
        chance = self._random.random()
        if chance < 0.6:
            return self._random.choice(FITTING[kind])
        return self.expression(depth) if chance < 0.9 else self._random.choice(UNFITTING)

    def _operation(self, depth: int) -> str:
        left, right = self.expression(depth), self.expression(depth)
        return f"({left}) {self._random.choice([*OPERATORS, 'between 1 and', 'in'])} ({right})"

    def _if(self, depth: int) -> str:
        return f"if {self.expression(depth)} then {self.expression(depth)} else {self.expression(depth)}"

    def _for(self, depth: int) -> str:
        source = self._random.choice(["[1, 2]", "1..3", "items", "tags", "null", "x", f"({self.expression(depth)})"])
        return f"for v in {source} return {self._random.choice(['v', 'v + 1', self.expression(depth)])}"

    def _quantified(self, depth: int) -> str:
        word = self._random.choice(["some", "every"])
        source = self._random.choice(["numbers", "tags", "items", f"({self.expression(depth)})"])
        return f"{word} v in {source} satisfies {self._random.choice(['v > 1', 'v', self.expression(depth)])}"

    def _filter(self, depth: int) -> str:
        source = self._random.choice(["items", "numbers", "tags", "nested", f"({self.expression(depth)})"])
        test = self._random.choice(["1", "-1", "i", "item > 1", "price > 5", "item != 1", self.expression(depth)])
        return f"{source}[{test}]"

    def _path(self, depth: int) -> str:
        key = self._random.choice(["a", "price", "year", "hour", "days", "months", "time offset", "missing", "name"])
        return f"({self.expression(depth)}).{key}"

    def _list(self, depth: int) -> str:
        return f"[{', '.join(self.expression(depth) for _ in range(self._random.randint(0, 3)))}]"

    def _context(self, depth: int) -> str:
        body = f"{{a: {self.expression(depth)}, b: {self._random.choice(['a', self.expression(depth)])}}}"
        return self._random.choice([body, f"{body}.b"])

    def _in(self, depth: int) -> str:
        tests = self._random.choice(["[1..5]", "(1, 5)", "> 3", "numbers", self.expression(depth)])
        return f"{self._leaf()} in {tests}"
