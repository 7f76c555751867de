--- error object with a hostile __tostring: error "error object is a table value"
error(setmetatable({}, {__tostring = function() while true do end end}))
--- error object with a hostile __name: error "error object is a table value"
error(setmetatable({}, {__name = ("x"):rep(1000000)}))
--- error nil: error "error object is a nil value"
error(nil)
--- error message, giant: error "no memory to describe it"
error(("x"):rep(4 << 20))
--- error message of control characters: error
error("a\r\nlevel=fatal\0\27[2J", 0)
--- error in an error handler: error
local ok, why = xpcall(error, function() error("again") end)
error(why, 0)
--- error handler that yields: error "error in error handling"
local ok, why = xpcall(error, function() handle:sleep(1) end)
error(why, 0)
--- __close that raises: error "closing"
local x <close> = setmetatable({}, {__close = function() error("closing") end})
--- __close that yields: fine
local x <close> = setmetatable({}, {__close = function() weft.sleep(1) end})
--- __close that yields, after respond: fine
local x <close> = setmetatable({}, {__close = function() weft.sleep(1) end})
handle:respond({[":status"] = "200"}, "ok")
--- yield: error "unexpected yield"
coroutine.yield()
--- yield of values: error "unexpected yield"
coroutine.yield(1, "x", {}, handle)
--- yield across pcall: error "unexpected yield"
pcall(coroutine.yield)
--- yield within sort: error "cannot wait here"
table.sort({3, 1, 2}, function() handle:sleep(1) return true end)
--- yield within gsub: error "cannot wait here"
string.gsub("a", "a", function() weft.sleep(1) end)
--- yield within tostring: error "cannot wait here"
tostring(setmetatable({}, {__tostring = function() weft.sleep(1) return "x" end}))
--- yield within load: error
assert(load(function() weft.sleep(1) return nil end))
--- yield within an iterator: fine
local n = 0
for _ in function() n = n + 1 weft.sleep(1) if n < 3 then return n end end do end
--- yield within a metamethod: fine
local t = setmetatable({}, {__index = function() weft.sleep(1) return 1 end})
assert(t.x == 1)
--- wait in a coroutine of one's own: error
assert(coroutine.resume(coroutine.create(function() handle:sleep(1) end)))
--- wrap a method: error
coroutine.wrap(handle.sleep)(handle, 1)
--- resume oneself: error "belongs to the proxy"
coroutine.resume(coroutine.running())
--- close oneself: error "belongs to the proxy"
coroutine.close(coroutine.running())
--- close the coroutine that waits: fine
local me = coroutine.running()
local other = coroutine.create(function() return pcall(coroutine.close, me) end)
local _, ok = coroutine.resume(other)
assert(not ok)
weft.sleep(1)
--- close the coroutine of another exchange: fine
if kept then pcall(coroutine.close, kept) pcall(coroutine.resume, kept, 1) end
kept = coroutine.running()
weft.sleep(2)
--- handle of another exchange: fine
if kept then
  assert(not pcall(kept.headers, kept), "another exchange can be reached")
else
  kept = handle
  weft.sleep(50)
  kept = nil
end
--- handle kept in a closure: fine
-- What is kept is of no use, or it is this exchange's own.
if kept then
  local ok, path = pcall(kept)
  assert(not ok or path == handle:headers():get(":path"))
end
local h = handle:headers()
kept = function() return h:get(":path") end
--- handle kept in a coroutine: fine
if kept then coroutine.resume(kept) end
kept = coroutine.create(function(h) coroutine.yield() h:headers():add("a", "b") end)
coroutine.resume(kept, handle:headers() and handle)
weft.sleep(1)
--- handle kept by on_log: fine
function on_request(handle)
  if kept then assert(not pcall(kept.headers, kept)) end
end
function on_log(handle) kept = handle end
--- giant headers, count: error
for i = 1, 100000 do handle:headers():add("x-" .. i, "y") end
--- giant headers, size: error
for i = 1, 1000 do handle:headers():add("x", ("y"):rep(60000)) end
--- giant header: memory
handle:headers():add("x", ("y"):rep(8 << 20))
--- header with CR LF: error
handle:headers():add("x", "a\r\nx-evil: 1")
--- header with NUL: error
handle:headers():add("x", "a\0b")
--- header's name with CR LF: error
handle:headers():add("x\r\ny", "a")
--- path with CR LF: error
handle:headers():replace(":path", "/ HTTP/1.1\r\nx: y")
--- giant path: memory
handle:headers():replace(":path", "/" .. ("x"):rep(8 << 20))
--- names without end: fine
for i = 1, 5000 do handle:headers():get("name" .. i) end
--- pairs that is changed: error
local n = 0
for name in pairs(handle:headers()) do
  handle:headers():remove(name)
  n = n + 1
  if n == 50 then break end
end
--- giant body: memory
function on_response(handle)
  handle:body(true):setBytes(("x"):rep(12 << 20))
  handle:body(true):setBytes(("x"):rep(12 << 20) .. "y")
end
--- giant body, many: cpu
function on_response(handle)
  for i = 1, 1000 do handle:body(true):setBytes(("x"):rep(1 << 20)) end
end
--- getBytes out of bounds: error
local b = handle:body(true)
b:getBytes(-1, 1 << 40)
--- respond with a giant body: fine
handle:respond({[":status"] = "200"}, ("x"):rep(5 << 20))
--- respond twice: fine
pcall(handle.respond, handle, {[":status"] = "200"}, "one")
handle:respond({[":status"] = "200"}, "two")
--- respond, malformed status: error
handle:respond({[":status"] = "9999999999"}, "x")
--- respond, status with CR LF: error
handle:respond({[":status"] = "200 OK\r\nx: y"}, "x")
--- respond, fields with CR LF: error
handle:respond({[":status"] = "200", ["x"] = "a\r\nb: c"}, "x")
--- respond, a table that answers: fine
handle:respond(setmetatable({[":status"] = "200"}, {__pairs = function() while true do end end, __index = function() while true do end end}), "x")
while true do end
--- respond in on_response: fine
function on_response(handle)
  handle:respond({[":status"] = "200"}, "x")
  handle:respond({[":status"] = "200"}, "y")
end
--- respond in on_log: logged "stack traceback"
function on_log(handle) handle:respond({[":status"] = "200"}, "x") end
--- httpCall in on_log: logged "stack traceback"
function on_log(handle) handle:httpCall("x", {[":method"] = "GET"}, "", 1000) end
--- httpCall of a service that is not allowed: error
handle:httpCall("other", {[":method"] = "GET", [":path"] = "/", [":authority"] = "a"}, "", 1000)
--- weft.http of a service that is not allowed: error
assert(weft.http.get({service = "other"}))
--- sleep in on_log: logged "stack traceback"
function on_log(handle) weft.sleep(1) end
--- sleep, extremes: error
weft.sleep(1e300)
--- sleep, not a number: error
weft.sleep(0 / 0)
--- settings are read-only: error
handle:settings().x = 1
--- settings by rawset: fine
pcall(rawset, handle:settings(), "x", 1)
assert(handle:settings().x == nil, "settings can be changed")
--- _G: fine
local next, all = next, _G
function on_request(handle)
  for k in next, all do if k ~= "on_request" then all[k] = nil end end
end
--- _ENV: error
local _ENV = {}
handle = nil
print("x")
--- _G with a metatable: fine
setmetatable(_G, {__index = function(t, k) while true do end end, __newindex = function() end})
--- _G, on_request redefined: fine
on_request = nil
--- string metatable: error
getmetatable("").__index = nil
error(("x"):upper())
--- string library: error
string.format = nil
string.rep = function() error("mine") end
error(("x"):rep(2))
--- setmetatable on handles: error
setmetatable(handle, {})
--- metatables of handles: fine
local m = getmetatable(handle)
assert(m == nil or type(m) ~= "table" or not pcall(function() m.__index = nil end))
--- methods of other objects: error "bad argument"
handle.headers(handle:headers())
--- methods of numbers: error "bad argument"
handle.headers(12345678)
--- collectgarbage: error "not available"
collectgarbage("stop")
--- collectgarbage, generational: error "not available"
collectgarbage("generational")
--- binary chunk: error "attempt to load a binary chunk"
assert(load("\27Lua\x54\0\x19\x93\r\n\x1a\n"))
--- binary chunk, asked for: error "attempt to load a binary chunk"
assert(load("\27Lua", "x", "b"))
--- string.dump: error
string.dump(function() end)
--- require escape: error "not found"
require("../../../../etc/passwd")
--- require of the system's: error "not found"
require("socket.core")
--- require of many: error "not found"
for i = 1, 100000 do require("a." .. i) end
--- os.execute: error
os.execute("true")
--- io: error
io.open("/etc/passwd")
--- debug: error
debug.sethook()
--- package: error
package.loadlib("libc.so.6", "system")
