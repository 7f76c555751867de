--- while: cpu
while true do end
--- repeat: cpu
repeat until false
--- goto: cpu
::again:: goto again
--- for, huge bounds: cpu
for i = 1, math.huge do end
--- for, float steps: cpu
for i = 1.0, math.huge, 1e-300 do end
--- tail calls: cpu
local function f() return f() end
f()
--- pcall that swallows the limit: cpu
while true do pcall(function() while true do end end) end
--- pcall in pcall in pcall: cpu
local function f() while true do pcall(f) end end
f()
--- xpcall whose handler loops: cpu
xpcall(function() error("x") end, function() while true do end end)
--- xpcall whose handler catches the limit: cpu
while true do xpcall(function() while true do end end, function(m) return m end) end
--- coroutine.wrap: cpu
coroutine.wrap(function() while true do end end)()
--- coroutine.wrap, again and again: cpu
while true do pcall(coroutine.wrap(function() while true do end end)) end
--- coroutine that yields for ever: cpu
local co = coroutine.wrap(function() while true do coroutine.yield() end end)
while true do co() end
--- __index chain: cpu
setmetatable({}, {__index = function(t, k) while true do end end}).x()
--- __index ring: error "'__index' chain too long"
local a, b = {}, {}
setmetatable(a, {__index = b})
setmetatable(b, {__index = a})
return a.x
--- __newindex: cpu
setmetatable({}, {__newindex = function() while true do end end}).x = 1
--- __eq: cpu
local m = {__eq = function() while true do end end}
return setmetatable({}, m) == setmetatable({}, m)
--- __lt: cpu
local m = {__lt = function() while true do end end}
return setmetatable({}, m) < setmetatable({}, m)
--- __concat: cpu
return setmetatable({}, {__concat = function() while true do end end}) .. "x"
--- __len: cpu
return #setmetatable({}, {__len = function() while true do end end})
--- __call: cpu
setmetatable({}, {__call = function() while true do end end})()
--- __close: error
local x <close> = setmetatable({}, {__close = function() while true do end end})
error("x")
--- __close, after the limit: cpu
local x <close> = setmetatable({}, {__close = function() while true do end end})
while true do end
--- __close of a closed coroutine: cpu
local co = coroutine.create(function()
  local x <close> = setmetatable({}, {__close = function() while true do end end})
  coroutine.yield()
end)
coroutine.resume(co)
coroutine.close(co)
--- __close of a call that is given up: fine
handle:respond({[":status"] = "200"}, "ok")
local x <close> = setmetatable({}, {__close = function() while true do end end})
--- __pairs: cpu
for _ in pairs(setmetatable({}, {__pairs = function() return function() return 1 end end})) do end
--- __gc: error "__gc is not available"
setmetatable({}, {__gc = function() while true do end end})
--- __gc, set later: fine
local m = {}
for i = 1, 100 do setmetatable({}, m) end
m.__gc = function() while true do end end
for i = 1, 10000 do local t = {} end
--- __tostring: cpu
print(setmetatable({}, {__tostring = function() while true do end end}))
--- __name: fine
print(setmetatable({}, {__name = ("x"):rep(100000)}))
--- iterator: cpu
for _ in function() return 1 end do end
--- sort, no order: error "invalid order function"
local t = {}
for i = 1, 500 do t[i] = i end
table.sort(t, function() return true end)
--- sort, loop: cpu
table.sort({3, 1, 2}, function() while true do end end)
--- sort, a million: cpu
local t = {}
for i = 1, 200000 do t[i] = (i * 7919) % 100003 end
while true do table.sort(t, function(a, b) return a > b end) table.sort(t) end
--- sort, as long as it says: cpu
table.sort(setmetatable({}, {__len = function() return 1 << 30 end, __index = function() return 1 end}))
--- gsub with a function that loops: cpu
string.gsub("aaa", "a", function() while true do end end)
--- gsub with a table that loops: cpu
string.gsub("aaa", "a", setmetatable({}, {__index = function() while true do end end}))
--- load that never ends: error "too long"
load(function() return " " end)
--- load in a loop: cpu
while true do load("return 1")() end
--- load of deep nesting: error "overflow"
assert(load("return " .. ("("):rep(30000) .. "1" .. (")"):rep(30000)))
--- load of long text: error "too long"
load(("x = 1 "):rep(20000))
--- load, 64 KiB in a loop: cpu
local text = ("x=1 "):rep(16000)
while true do load(text) end
--- select: cpu
while true do select("#", table.unpack({}, 1, 5000)) end
--- next over a large table: cpu
local t = {}
for i = 1, 50000 do t[i] = i end
while true do for _ in next, t do end end
--- next over a table of holes: cpu
local t = {}
for i = 1, 100000 do t[i] = i end
for i = 1, 100000 do t[i] = nil end
while true do next(t) end
--- length of a table of holes: cpu
local t = {}
for i = 1, 100000 do t[i] = i end
for i = 1, 99999, 2 do t[i] = nil end
while true do local n = #t end
--- within the limit: fine
local until_ = os.clock() + 0.004
while os.clock() < until_ do end
--- within the limit, after a wait: fine
for i = 1, 3 do
  local until_ = os.clock() + 0.003
  while os.clock() < until_ do end
  weft.sleep(1)
end
--- on_response: cpu
function on_response(handle) while true do end end
--- on_log: logged "processor time"
function on_log(handle) while true do end end
--- body by pieces: logged "processor time"
function on_response(handle)
  for chunk in handle:bodyChunks() do while true do end end
end
--- weft.every: logged "processor time"
for i = 1, 16 do weft.every(0.1, function() while true do end end, {worker = "each"}) end
function on_request(handle) end
--- on_load: logged "processor time"
function on_load() while true do end end
function on_request(handle) end
