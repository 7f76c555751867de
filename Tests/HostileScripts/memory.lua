--- string doubling: memory
local s = "x"
while true do s = s .. s end
--- concat of many: memory
local s = ("x"):rep(1 << 20)
while true do s = s .. s .. s .. s end
--- table growth: memory
local t = {}
for i = 1, math.huge do t[i] = {} end
--- hash growth: memory
local t = {}
for i = 1, math.huge do t["k" .. i] = i end
--- closures: memory
local t = {}
while true do t[#t + 1] = function() return t end end
--- coroutines without end: memory
local t = {}
while true do t[#t + 1] = coroutine.create(function() end) end
--- coroutines, one in another: error
local function f() return coroutine.wrap(f)() end
f()
--- coroutines that hold large stacks: memory
local t = {}
while true do
  t[#t + 1] = coroutine.create(function(...) coroutine.yield(...) end)
  coroutine.resume(t[#t], table.unpack({}, 1, 5000))
end
--- table of strings: memory
local t = {}
while true do t[#t + 1] = ("x"):rep(1000) .. #t end
--- pcall that swallows the limit: cpu
local t = {}
while true do pcall(function() for i = 1, math.huge do t[#t + 1] = {} end end) end
--- pcall that swallows the limit of strings: cpu
while true do pcall(string.rep, "x", 100 << 20) end
--- kept in a global: memory
kept = kept or {}
while true do kept[#kept + 1] = ("y"):rep(1000) .. #kept end
--- kept in the metatable of strings: memory
local m = getmetatable("")
m = type(m) == "table" and m or string
while true do m[#m + 1] = ("y"):rep(1000) .. #m end
--- garbage: cpu
while true do local t = {{}, {}, {}} end
--- garbage of strings: cpu
local i = 0
while true do i = i + 1 local s = "s" .. i end
--- garbage of coroutines: cpu
while true do coroutine.wrap(function() end)() end
--- garbage beside much that lives: cpu
kept = kept or {}
for i = #kept + 1, 100000 do kept[i] = {} end
while true do local t = {{}, {}, {}} end
--- weak tables: cpu
local weak = setmetatable({}, {__mode = "k"})
while true do local k = {} weak[k] = {k} end
--- ephemerons in a chain: cpu
local weak = setmetatable({}, {__mode = "k"})
local first = {}
local k = first
for i = 1, 50000 do local n = {} weak[k] = n k = n end
while true do local t = {{}} end
--- varargs: error
local function f(...) return f(1, ...) end
f()
--- gsub that grows: memory
local s = ("x"):rep(100000)
return (s:gsub("x", s))
--- dynamic metadata: memory
handle:streamInfo():dynamicMetadata():set("a", "b", ("x"):rep(12 << 20))
--- dynamic metadata, deep: error
local t = {}
for i = 1, 10000 do t = {t} end
handle:streamInfo():dynamicMetadata():set("a", "b", t)
--- dynamic metadata, many: error
local m = handle:streamInfo():dynamicMetadata()
for i = 1, 10000 do m:set("filter" .. i, "key", ("x"):rep(10000)) end
--- recursion: memory
local function f() return 1 + f() end
f()
--- recursion through pcall: error
local function f() local ok, why = pcall(f) error(why, 0) end
f()
--- recursion through metamethods: error
local t = setmetatable({}, {})
getmetatable(t).__index = function(x, k) return x[k] .. "" end
return t.x
--- recursion through gsub: error
local function f() return (string.gsub("a", "a", f)) end
f()
--- recursion through sort: error
local function f() table.sort({2, 1, 3}, f) return true end
f()
--- recursion through tostring: error
local t = setmetatable({}, {__tostring = function(t) return tostring(t) end})
tostring(t)
--- recursion through load: error
local function f() return load(f) end
f()
--- recursion through require: error
require("main")
--- recursion through __close: error
local function f()
  local x <close> = setmetatable({}, {__close = f})
  error("x")
end
f()
--- recursion through an error handler: error
local function f() error("x") end
local ok, why = xpcall(f, function(m) f() end)
error(why, 0)
