--- string.rep, too long for any memory: error "resulting string too large"
string.rep("xxxxxxxx", 1 << 62)
--- string.rep, giant: memory
string.rep("x", 1 << 40)
--- string.rep, again and again: cpu
while true do string.rep("x", 4 << 20) end
--- string.format, giant width: error "invalid conversion"
string.format("%1000d", 1)
--- string.format, giant precision: error "invalid conversion"
string.format("%.1000f", 1)
--- string.format, many: error "no value"
string.format(("%99.99f"):rep(9000), 1.5)
--- string.format, long arguments: cpu
local s = ("x"):rep(1 << 20)
while true do string.format("%s%s%s", s, s, s) end
--- string.format %q: cpu
local s = ("\0\n\""):rep(80000)
while true do string.format("%q", s) end
--- find: cpu
string.find(("a"):rep(30000), ("a-"):rep(20) .. "b")
--- match: cpu
string.match(("a"):rep(100000), ".-.-.-.-b")
--- gmatch: cpu
for _ in string.gmatch(("a"):rep(100000), ".-.-.-b") do end
--- gsub: cpu
string.gsub(("a"):rep(100000), ".*.*.*b", "")
--- find %b: cpu
string.find(("("):rep(200000), "%b()%b()x")
--- find %f: cpu
while true do string.find((" "):rep(1000000), "%f[%w]") end
--- pattern, deep: error "too complex"
string.find(("x"):rep(300), ("(x"):rep(30) .. ("x?"):rep(300) .. "b")
--- pattern, malformed: error "malformed pattern"
string.find("x", "[a")
--- find, plain: cpu
local s = ("a"):rep(2000000)
while true do string.find(s, ("a"):rep(1000) .. "b", 1, true) end
--- find, plain, worst case: cpu
local s, p = ("a"):rep(1000000), ("a"):rep(500000) .. "b" .. ("a"):rep(100000)
while true do string.find(s, p, 1, true) end
--- reverse, upper, lower, byte, char: cpu
local s = ("a"):rep(2000000)
while true do s:reverse() s:upper() s:lower() s:byte(1, 1000) string.char(s:byte(1, 200)) end
--- string.byte of all: error "string slice too long"
string.byte(("a"):rep(2000000), 1, -1)
--- string.pack: cpu
local f = ("i16"):rep(10000)
while true do pcall(string.pack, f, 1) pcall(string.packsize, f) end
--- string.packsize, giant: error "invalid format option"
string.packsize(("c2147483647"):rep(2))
--- string.pack, giant: memory
string.pack("c2000000000", "x")
--- string.unpack: error "data string too short"
string.unpack("s8", "\255\255\255\255\255\255\255\127")
--- comparing long strings: cpu
local a, b = ("a"):rep(3000000) .. "b", ("a"):rep(3000000) .. "c"
while true do local x = a < b end
--- comparing strings of NULs: cpu
local a, b = ("\0"):rep(3000000) .. "b", ("\0"):rep(3000000) .. "c"
while true do local x = a < b end
--- tonumber: cpu
local s = ("9"):rep(2000000)
while true do tonumber(s) tonumber(s, 10) tonumber(s, 36) end
--- table.concat, as long as it says: cpu
table.concat(setmetatable({}, {__index = function() return "" end}), "", 1, 1 << 40)
--- table.concat, giant: memory
local t = {}
for i = 1, 100 do t[i] = ("x"):rep(100000) end
for i = 1, 100 do t[#t + 1] = table.concat(t) end
--- table.unpack, giant: error "too many results"
table.unpack({}, 1, 1 << 30)
--- table.unpack, extremes: error "too many results"
table.unpack({}, math.mininteger, math.maxinteger)
--- table.insert, far: cpu
table.insert(setmetatable({}, {__len = function() return 1 << 40 end}), 1, 0)
--- table.insert in front: cpu
local t = {}
for i = 1, 1 << 30 do table.insert(t, 1, i) end
--- table.remove, far: cpu
table.remove(setmetatable({}, {__len = function() return 1 << 40 end}), 1)
--- table.move, far: cpu
table.move({}, 1, 1 << 40, 2)
--- table.pack: error "too many results"
table.pack(table.unpack({}, 1, 1 << 24))
--- utf8: cpu
local s = ("ü"):rep(1000000)
while true do utf8.len(s) utf8.offset(s, 900000) for _ in utf8.codes(s) do end end
--- utf8.codepoint of all: error "string slice too long"
utf8.codepoint(("a"):rep(2000000), 1, -1)
--- utf8.char of many: cpu
while true do utf8.char(table.unpack({}, 1, 0)) utf8.char(0x10ffff, 0x7fffffff) end
--- os.date: cpu
while true do os.date("%c %x %X") end
--- os.date, format: error "invalid conversion specifier"
os.date("%Ez", 0)
--- os.time: error "out-of-bound"
os.time({year = math.maxinteger, month = 1, day = 1})
--- math.random: error "interval is empty"
math.random(math.maxinteger, math.mininteger)
--- weft.re, backtracking: error "given up"
weft.re.match(("a"):rep(50) .. "b", "^(a+)+$")
--- weft.re, backtracking in a loop: cpu
while true do pcall(weft.re.match, ("a"):rep(50) .. "b", "^(a|a)*$") end
--- weft.re, nested quantifiers: error "given up"
weft.re.test(("x"):rep(100) .. "z", "^((x+)*)*$")
--- weft.re, giant pattern: error
weft.re.match("x", ("(x"):rep(2000))
--- weft.re, counted: error
weft.re.match("x", "(((x{1,200}){1,200}){1,200}){1,200}")
--- weft.re, patterns without end: cpu
local i = 0
while true do i = i + 1 weft.re.test("x", "x{" .. i % 60000 .. "}" .. i) end
--- weft.re, gsub of all: cpu
while true do weft.re.gsub(("a"):rep(200000), "a", "bb") end
--- weft.re, recursion: fine
pcall(weft.re.match, ("("):rep(100000), "^(\\((?1)*)+$")
--- weft.json, deep: fine
local nothing, why = weft.json.decode(("["):rep(1000000))
assert(nothing == nil and why)
--- weft.json, deep objects: fine
local nothing, why = weft.json.decode(("{\"a\":"):rep(200000))
assert(nothing == nil and why)
--- weft.json, encoding what is deep: fine
local t = {}
for i = 1, 5000 do t = {t} end
local nothing, why = weft.json.encode(t)
assert(nothing == nil and why)
--- weft.json, a table that holds itself: fine
local t = {}
t.t = t
local nothing, why = weft.json.encode(t)
assert(nothing == nil and why)
--- weft.json, giant: cpu
local s = "[" .. ("0,"):rep(200000) .. "0]"
while true do weft.json.decode(s) end
--- weft.json, many names: cpu
local t = {}
for i = 1, 20000 do t[i] = '"k' .. i .. '":' .. i end
local s = "{" .. table.concat(t, ",") .. "}"
while true do weft.json.encode(weft.json.decode(s)) end
--- weft.json, numbers: fine
for _, n in ipairs({"1e999999", "-", "1" .. ("0"):rep(100000), "0." .. ("1"):rep(100000), "1e-99999999"}) do
  weft.json.decode(n)
end
--- weft.base64: cpu
while true do weft.base64.decode(weft.base64.encode(("x"):rep(1 << 20))) end
--- weft.url: cpu
while true do weft.url.parse_query(("a=%41&"):rep(50000)) weft.url.decode(("%41"):rep(100000)) end
--- weft.hash: cpu
while true do weft.hash.sha512(("x"):rep(4 << 20)) end
--- weft.crypto.pbkdf2: error
while true do weft.crypto.pbkdf2("sha512", "a", "b", 10000000, 64) end
--- weft.crypto.public_key: cpu
while true do weft.crypto.public_key(("-----BEGIN PUBLIC KEY-----\n" .. ("A"):rep(10000) .. "\n-----END PUBLIC KEY-----\n")) end
--- weft.crypto.random_bytes: error
weft.crypto.random_bytes(1 << 40)
--- weft.ip.set: cpu
local t = {}
for i = 1, 20000 do t[i] = (i % 250) .. "." .. (i // 250 % 250) .. ".0.0/16" end
while true do weft.ip.set(t) end
--- weft.shared, filled up: fine
local d = weft.shared("hostile")
for i = 1, 300 do d:set("key" .. i .. weft.random.float(), ("x"):rep(1000)) end
--- weft.shared, in a loop: cpu
local d = weft.shared("hostile")
local i = 0
while true do i = i + 1 d:set("key" .. i, ("x"):rep(1000)) d:keys(1000) end
--- weft.shared, names: error
for i = 1, 1000 do weft.shared("name" .. i) end
--- weft.shared, a giant value: error
local d = weft.shared("hostile")
d:set("x", ("x"):rep(1 << 20))
d:set(("x"):rep(1 << 20), 1)
--- weft.metrics, unbounded labels: fine
local c = weft.metrics.counter("hostile_total", {"path"})
function on_request(handle)
  for i = 1, 500 do c:inc(weft.uuid.v4()) end
end
--- weft.metrics, families: error
for i = 1, 1000 do weft.metrics.counter("hostile_" .. i) end
--- stats, names: error
for i = 1, 1000 do handle:stats():counter("name" .. i):inc() end
--- log flood: fine
for i = 1, 2000 do handle:logInfo("flood " .. i) end
--- log flood, in a loop: cpu
while true do print("flood") handle:logErr("flood") end
--- log of control characters: fine
handle:logInfo("a\r\nlevel=fatal forged\0\27[2J")
--- log of a giant line: fine
handle:logInfo(("x"):rep(1 << 20))
