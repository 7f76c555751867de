--- find, plain, the longest: cpu
local s, p = ("a"):rep(5000000), ("a"):rep(2500000) .. "b" .. ("a"):rep(2000000)
while true do string.find(s, p, 1, true) end
--- find, one item over all: cpu
local s = ("a"):rep(7000000)
while true do string.find(s, "[^b]*b") end
--- find, a long set: cpu
local s = ("a"):rep(3000000)
while true do string.find(s, "[" .. ("b"):rep(3000000) .. "a]*c") end
--- find %b, the longest: cpu
local s = ("("):rep(7000000)
while true do string.find(s, "^%b()") end
--- gsub, a long replacement: cpu
local r = ("%%"):rep(3000000)
while true do string.gsub("a", "a", r) end
--- string.rep, the longest: cpu
while true do string.rep("x", 7000000) end
--- string.rep, the longest with a separator: cpu
while true do string.rep("", 3500000, "xy") end
--- string.format %q, too long: error "at most 256 KiB"
string.format("%q", ("a"):rep(3000000))
--- string.format %q, the longest: cpu
local s = ("\0"):rep(256 << 10)
while true do string.format("%q", s) end
--- string.format, too many arguments: error "more than 250 arguments"
string.format(("%99.99f"):rep(1000), table.unpack({}, 1, 1000))
--- string.format, as many arguments as there can be: cpu
local f, t = ("%99.99f"):rep(250), {}
for i = 1, 250 do t[i] = 1.7e308 end
while true do string.format(f, table.unpack(t)) end
--- string.packsize, a long format: error "more than 64 KiB"
string.packsize(("b"):rep(1000000))
--- string.packsize, the longest format: cpu
local f = ("b"):rep(64 << 10)
while true do string.packsize(f) end
--- utf8.char, too many arguments: error "more than 65536 arguments"
utf8.char(table.unpack({}, 1, 100000))
--- string.upper, reverse, the longest: cpu
local s = ("a"):rep(4000000)
while true do s:upper() s:reverse() end
--- utf8.len, offset, the longest: cpu
local s = ("ü"):rep(3500000)
while true do utf8.len(s) utf8.offset(s, 3400000) end
--- tonumber, the longest: cpu
local s = ("9"):rep(7000000)
while true do tonumber(s) tonumber(s, 36) end
--- arithmetic on a long text: cpu
local s = ("9"):rep(7000000)
while true do pcall(function() return s + 1 end) end
--- comparing long strings of NULs: cpu
local a = ("\0"):rep(3500000)
local b = a .. "b"
a = a .. "c"
while true do local x = a < b end
--- os.date, a long format: error "more than 256 bytes"
os.date(("%n"):rep(4000000))
--- weft.hash, the longest: cpu
local s = ("x"):rep(7000000)
while true do weft.hash.sha512(s) end
--- weft.json, a long number: cpu
local s = ("1"):rep(7000000)
while true do weft.json.decode(s) end
--- weft.json, a long string: cpu
local s = '"' .. ("\\u0041"):rep(1000000) .. '"'
while true do weft.json.decode(s) end
--- weft.re, patterns that are long to compile: cpu
local i = 0
while true do
  i = i + 1
  pcall(weft.re.test, "x", i .. ("(?:[a-z]{1,9}|\\p{L}+?[^\\s" .. i .. "]){2,9}"):rep(100))
end
--- weft.re, many patterns that live: cpu
local kept = {}
for i = 1, 512 do
  local ok, re = pcall(weft.re.compile, i .. "(a|b|c|d|e)+x{1,50}y{1,50}")
  kept[#kept + 1] = ok and re or nil
end
local t = {}
for i = 1, 50000 do t[i] = {} end
while true do pcall(weft.re.compile, "more" .. #kept) kept[1] = nil end
--- weft.re, a long subject: cpu
local s = ("a"):rep(7000000)
while true do pcall(weft.re.test, s, "[^b]*?b|a.*c") end
--- weft.re, a long split: cpu
local s = ("a,"):rep(2000000)
while true do weft.re.split(s, ",") end
--- weft.crypto.equal, the longest: cpu
local a, b = ("x"):rep(3000000), ("x"):rep(2999999) .. "y"
while true do pcall(weft.crypto.equal, a, b) end
--- weft.ip.set, as many as there can be: cpu
local t = {}
for i = 1, 65536 do t[i] = ((i * 7919) % 250) .. "." .. (i % 251) .. "." .. (i // 256 % 250) .. ".0/24" end
while true do pcall(weft.ip.set, t) end
--- weft.shared, many small ones and a flush: cpu
local d = weft.shared("hostile")
while true do
  for i = 1, 2000 do d:set(i, i) end
  d:flush()
end
--- dynamic metadata, wide: cpu
local t = {}
for i = 1, 300000 do t[i] = i end
while true do pcall(handle.streamInfo(handle):dynamicMetadata().set, handle:streamInfo():dynamicMetadata(), "a", "b", t) end
--- a table of a million: cpu
while true do
  local t = {}
  for i = 1, 400000 do t[i] = i end
end
--- next behind a million of holes: cpu
kept = kept or {}
if #kept == 0 then for i = 1, 500000 do kept[i] = i end end
for i = 1, 500000 do kept[i] = nil end
while true do next(kept) end
--- collections with nothing to collect: cpu
kept = kept or {}
while #kept < 180000 do kept[#kept + 1] = {} end
while true do pcall(string.rep, "x", 15000000) end
--- ephemerons in a long chain: cpu
-- Grows over many calls, until one step of the collector takes longer than any call may.
weak = weak or setmetatable({}, {__mode = "k"})
last = last or {}
first = first or last
while true do
  local n = {}
  weak[last] = n
  last = n
end
--- ephemerons in a long chain, marked as such at last: cpu
chain = chain or setmetatable({}, {})
last = last or {}
first = first or last
for i = 1, 30000 do
  local n = {}
  chain[last] = n
  last = n
end
getmetatable(chain).__mode = "k"
while true do local t = {{}} end
