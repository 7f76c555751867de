-- The library that tests of bundles are written against; docs/testing-filters.md describes it.
--
-- What a test does to the filter happens in Swift, behind native.call. Swift never calls back: where the fake upstream
-- or a fake service must answer, `native.call("step")` returns and says so, and the loop in `settle` asks the test.
local native = native
_G.native = nil

local type, pairs, ipairs, next, select, tostring, tonumber = type, pairs, ipairs, next, select, tostring, tonumber
local error, pcall, xpcall, setmetatable, getmetatable = error, pcall, xpcall, setmetatable, getmetatable
local string, table, math = string, table, math
local call = native.call

-- Failures are raised as tables, so that they keep what belongs to them.
local Failure = {}
Failure.__index = Failure
Failure.__tostring = function(failure) return failure.message end

local function raise(message, details)
  local failure = setmetatable({kind = "failure", message = message, place = native.place()}, Failure)
  for key, value in pairs(details or {}) do failure[key] = value end
  error(failure, 0)
end

-- A mistake in how the library is used: an error at the caller's place.
local function misuse(message)
  error(setmetatable({kind = "error", message = message, place = native.place()}, Failure), 0)
end

-- Asks Swift, and gives its errors the place of the test's line.
local function ask(operation, value)
  local ok, answer = pcall(call, operation, value)
  if ok then return answer end
  misuse(tostring(answer))
end

-- Showing values

local function is_list(value)
  local count = 0
  for _ in pairs(value) do count = count + 1 end
  return count == #value
end

local function sorted_keys(value)
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if type(a) == type(b) and (type(a) == "number" or type(a) == "string") then return a < b end
    return type(a) == "number" or (type(b) ~= "number" and tostring(a) < tostring(b))
  end)
  return keys
end

local function quote(text)
  local shown = text:gsub('[%c"\\\127-\255]', function(c)
    local known = {["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ['"'] = '\\"', ["\\"] = "\\\\"}
    return known[c] or (c:byte() < 128 and string.format("\\x%02x", c:byte())) or c
  end)
  return '"' .. shown .. '"'
end

local function show_key(key)
  if type(key) == "string" and key:find("^[%a_][%w_]*$") then return key end
  return "[" .. (type(key) == "string" and quote(key) or tostring(key)) .. "]"
end

local function show(value, depth)
  depth = depth or 0
  if type(value) == "string" then return quote(value) end
  if type(value) ~= "table" then return tostring(value) end
  if next(value) == nil then return "{}" end
  if depth > 6 then return "{...}" end
  local parts = {}
  local list = is_list(value)
  for i, key in ipairs(sorted_keys(value)) do
    if i > 50 then
      parts[#parts + 1] = "..."
      break
    end
    local item = show(value[key], depth + 1)
    parts[#parts + 1] = list and item or show_key(key) .. " = " .. item
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

-- Comparing

local function is_equal(a, b, seen)
  if a == b then return true end
  if type(a) ~= "table" or type(b) ~= "table" then return a ~= a and b ~= b end
  seen = seen or {}
  if seen[a] == b then return true end
  seen[a] = b
  for key, value in pairs(a) do
    if not is_equal(value, b[key], seen) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

-- Lines that say where two tables differ.
local function differences(actual, expected, path, lines, seen)
  if #lines >= 20 or is_equal(actual, expected) then return lines end
  if type(actual) ~= "table" or type(expected) ~= "table" or seen[actual] then
    local at = path == "" and "it" or path
    if expected == nil then
      lines[#lines + 1] = at .. ": unexpected " .. show(actual)
    elseif actual == nil then
      lines[#lines + 1] = at .. ": missing, expected " .. show(expected)
    else
      lines[#lines + 1] = at .. ": expected " .. show(expected) .. ", actual " .. show(actual)
    end
    return lines
  end
  seen[actual] = true
  local keys = {}
  for key in pairs(actual) do keys[key] = true end
  for key in pairs(expected) do keys[key] = true end
  for _, key in ipairs(sorted_keys(keys)) do
    local step = show_key(key)
    local inner = path .. (step:sub(1, 1) == "[" and step or "." .. step)
    differences(actual[key], expected[key], inner, lines, seen)
  end
  return lines
end

-- Where two long texts part.
local function text_difference(actual, expected)
  if #actual < 60 and #expected < 60 then return nil end
  local at = 1
  while actual:byte(at) == expected:byte(at) and at <= #actual do at = at + 1 end
  local from = math.max(1, at - 20)
  local function around(text)
    return (from > 1 and "..." or "") .. quote(text:sub(from, at + 40)) .. (#text > at + 40 and "..." or "")
  end
  return {"they part at byte " .. at .. ":", "expected " .. around(expected), "actual   " .. around(actual)}
end

-- Assertions

local function failed(message, what, actual, expected)
  local details = {actual = show(actual), expected = show(expected)}
  if type(actual) == "table" and type(expected) == "table" then
    details.differences = differences(actual, expected, "", {}, {})
  elseif type(actual) == "string" and type(expected) == "string" then
    details.differences = text_difference(actual, expected)
  end
  raise(message and tostring(message) or what, details)
end

function assert_equal(actual, expected, message)
  if not is_equal(actual, expected) then failed(message, "values differ", actual, expected) end
end

function assert_not_equal(actual, unexpected, message)
  if is_equal(actual, unexpected) then
    raise(message or "values are equal", {actual = show(actual), expected = "anything else"})
  end
end

function assert_true(value, message)
  if not value then raise(message or "value is not true", {actual = show(value), expected = "true"}) end
end

function assert_false(value, message)
  if value then raise(message or "value is not false", {actual = show(value), expected = "false or nil"}) end
end

function assert_nil(value, message)
  if value ~= nil then raise(message or "value is not nil", {actual = show(value), expected = "nil"}) end
end

function assert_match(text, pattern, message)
  if type(pattern) ~= "string" then misuse("assert_match takes a text and a Lua pattern") end
  if type(text) ~= "string" or not text:find(pattern) then
    raise(message or "text does not match", {actual = show(text), expected = "a match of " .. quote(pattern)})
  end
end

function assert_contains(text, part, message)
  if type(part) ~= "string" then misuse("assert_contains takes a text and a part of it") end
  if type(text) ~= "string" or not text:find(part, 1, true) then
    raise(message or "text does not contain this", {actual = show(text), expected = "something with " .. quote(part)})
  end
end

function assert_error(body, part)
  if type(body) ~= "function" then misuse("assert_error takes a function") end
  local ok, problem = pcall(body)
  if ok then raise("no error was raised", {expected = part and "an error with " .. quote(part) or "an error"}) end
  -- A failed assertion, or skip(), inside is not the error that is looked for.
  if getmetatable(problem) == Failure and problem.kind ~= "error" then error(problem, 0) end
  local text = tostring(problem)
  if part and not text:find(part, 1, true) then
    raise("another error was raised", {actual = show(text), expected = "an error with " .. quote(part)})
  end
  return text
end

-- value: nil: the field is there; false: it is not.
function assert_header(message, name, value)
  if type(message) ~= "table" or type(message.headers) ~= "table" then
    misuse("assert_header takes a result, or what its upstream got, and a name")
  end
  local actual = message.headers[name]
  if value == nil then
    if actual == nil then raise("no header " .. name, {actual = show(message.headers), expected = name}) end
  elseif value == false then
    if actual ~= nil then raise("there is a header " .. name, {actual = show(actual), expected = "none"}) end
  elseif actual ~= value then
    failed(nil, "header " .. name, actual, value)
  end
end

function fail(message) raise(message and tostring(message) or "fail() was called") end

function skip(reason)
  error(setmetatable({kind = "skip", message = reason and tostring(reason) or "", place = native.place()}, Failure), 0)
end

-- Messages

local Headers = {
  -- Names of fields have no case.
  __index = function(headers, name)
    if type(name) == "string" then return rawget(headers, name:lower()) end
  end,
}

-- What Swift gives as a list of {name, value}, as a table by name; values of one name are joined by commas.
local function by_name(fields)
  local headers = {}
  for _, field in ipairs(fields or {}) do
    local name = field[1]:lower()
    headers[name] = headers[name] and headers[name] .. ", " .. field[2] or field[2]
  end
  return setmetatable(headers, Headers)
end

local function prepare(message)
  message.fields = message.headers
  message.headers = by_name(message.fields)
  message.trailers = by_name(message.trailers)
  message.chunks = message.chunks or {}
  message.body = table.concat(message.chunks)
  return message
end

function header_values(message, name)
  local values = {}
  for _, field in ipairs(message.fields or {}) do
    if field[1]:lower() == name:lower() then values[#values + 1] = field[2] end
  end
  return values
end

-- A table of fields as a list of {name, value}, in an order that is the same each time.
local function field_list(fields, what)
  if fields == nil then return nil end
  if type(fields) ~= "table" then misuse(what .. " are a table, not a " .. type(fields)) end
  local list = {}
  local function add(name, value)
    if type(value) == "number" then value = tostring(value) end
    if type(name) ~= "string" or type(value) ~= "string" then
      misuse(what .. ": " .. tostring(name) .. " has a " .. type(value) .. " as its value")
    end
    list[#list + 1] = {name, value}
  end
  for i, field in ipairs(fields) do
    if type(field) ~= "table" then misuse(what .. "[" .. i .. "] is not {name, value}") end
    add(field[1], field[2])
  end
  for _, name in ipairs(sorted_keys(fields)) do
    if type(name) == "string" then
      local value = fields[name]
      if type(value) == "table" then
        for _, one in ipairs(value) do add(name, one) end
      else
        add(name, value)
      end
    end
  end
  return list
end

local function chunk_list(body)
  if body == nil then return nil end
  if type(body) == "string" then return {body} end
  if type(body) ~= "table" then misuse("a body is a string or a list of strings, not a " .. type(body)) end
  for i, chunk in ipairs(body) do
    if type(chunk) ~= "string" then misuse("body[" .. i .. "] is a " .. type(chunk)) end
  end
  return body
end

local function check_fields(spec, allowed, what)
  if type(spec) ~= "table" then misuse(what .. " takes a table, not a " .. type(spec)) end
  for key in pairs(spec) do
    if not allowed[key] then
      misuse(what .. " has no field " .. show(key) .. "; it has " .. table.concat(sorted_keys(allowed), ", "))
    end
  end
end

-- What a test has set up

local world

local request_fields = {
  method = true, path = true, host = true, headers = true, body = true, chunked = true, trailers = true, client = true,
  tls = true, route = true, service = true, listener = true, metadata = true, allow_errors = true,
}
local answer_fields = {
  status = true, headers = true, body = true, chunked = true, trailers = true, delay = true, failure = true,
}

local function prepare_answer(answer, what)
  if answer == nil then answer = {} end
  check_fields(answer, answer_fields, what)
  local failures = {timeout = true, refused = true, reset = true}
  if answer.failure ~= nil and not failures[answer.failure] then
    misuse(what .. ".failure is one of refused, reset, timeout")
  end
  return {
    status = answer.status or 200,
    headers = field_list(answer.headers, what .. ".headers"),
    body = chunk_list(answer.body),
    chunked = answer.chunked,
    trailers = field_list(answer.trailers, what .. ".trailers"),
    delay = answer.delay,
    failure = answer.failure,
  }
end

local function echo(request)
  return {body = #request.chunks > 0 and request.chunks or nil,
          headers = {["content-type"] = request.headers["content-type"]}}
end

local function responder(given, what)
  if type(given) == "function" then return given end
  prepare_answer(given, what)
  return function() return given end
end

function upstream(answer) world.upstream = responder(answer, "upstream") end

function service(name, answer)
  if type(name) ~= "string" then misuse("service takes the name of a service and its answer") end
  world.services[name] = responder(answer, "service " .. name)
end

-- Runs the filter until `goal` is reached: an exchange is over, or time is.
local function settle(goal)
  while true do
    local step = ask("step", goal)
    if step.kind == "done" then
      if step.error then misuse("the filter failed: " .. step.error) end
      return
    end
    local seen = prepare(step.request)
    if step.kind == "upstream" then
      ask("answer_upstream", {step.id, prepare_answer(world.upstream(seen), "upstream")})
    else
      local answer = world.services[seen.service]
      if not answer then
        misuse("the filter calls " .. seen.method .. " " .. seen.path .. " of the service " .. quote(seen.service)
               .. ", which this test does not fake: add service(" .. quote(seen.service) .. ", {status = 200, ...})")
      end
      ask("answer_call", {step.id, prepare_answer(answer(seen), "service " .. seen.service)})
    end
  end
end

local Exchange = {}
Exchange.__index = Exchange

function start(spec)
  check_fields(spec, request_fields, "request")
  local id = ask("start", {
    method = spec.method or (spec.body and "POST" or "GET"),
    path = spec.path or "/",
    host = spec.host,
    headers = field_list(spec.headers, "headers"),
    body = chunk_list(spec.body),
    chunked = spec.chunked or spec.trailers ~= nil,
    trailers = field_list(spec.trailers, "trailers"),
    client = spec.client,
    tls = spec.tls,
    route = spec.route, service = spec.service, listener = spec.listener, metadata = spec.metadata,
  })
  return setmetatable({id = id, allow_errors = spec.allow_errors}, Exchange)
end

function Exchange:wait()
  settle({exchange = self.id})
  local result = prepare(ask("result", self.id))
  if result.upstream then prepare(result.upstream) end
  if result.error and not self.allow_errors then misuse("the filter failed: " .. result.error) end
  return result
end

function Exchange:cancel() ask("cancel", self.id) end

function request(spec) return start(spec or {}):wait() end

-- Several at once: all are under way before the first is waited for.
function requests(specs)
  local exchanges, results = {}, {}
  for i, spec in ipairs(specs) do exchanges[i] = start(spec) end
  for i, exchange in ipairs(exchanges) do results[i] = exchange:wait() end
  return results
end

function settings(values)
  if type(values) ~= "table" then misuse("settings takes a table") end
  ask("configure", {settings = values})
end

function config(values)
  check_fields(values, {settings = true, onError = true, limits = true, services = true}, "config")
  ask("configure", values)
end

clock = {}

function clock.now() return ask("now") / 1e9 end

function clock.set(time)
  if type(time) ~= "number" and type(time) ~= "string" then misuse("clock.set takes seconds since 1970 or a date") end
  ask("set_clock", time)
end

function clock.advance(seconds)
  if type(seconds) ~= "number" or not (seconds >= 0) then misuse("clock.advance takes seconds, not below 0") end
  local now = ask("monotonic")
  settle({time = now + math.floor(seconds * 1e9 + 0.5)})
end

function logs(level)
  local lines = {}
  for _, line in ipairs(ask("logs")) do
    if level == nil or line.level == level then lines[#lines + 1] = line end
  end
  return lines
end

function calls(name)
  local made = {}
  for _, one in ipairs(ask("calls")) do
    if name == nil or one.service == name then made[#made + 1] = prepare(one) end
  end
  return made
end

function metrics(name, labels)
  if type(name) ~= "string" then misuse("metrics takes the name of a metric") end
  return ask("metrics", {name = name, labels = labels or {}}).value
end

-- Defining tests

local tests = {}
local group = {before = {}, after = {}}

local function define(name, body, skipped)
  if type(name) ~= "string" or type(body) ~= "function" then misuse("test takes a name and a function") end
  local names = {}
  local at = group
  while at.name do
    table.insert(names, 1, at.name)
    at = at.parent
  end
  names[#names + 1] = name
  tests[#tests + 1] = {
    name = table.concat(names, " > "), body = body, group = group, place = native.place(), skipped = skipped,
  }
end

test = setmetatable({}, {__call = function(_, name, body) define(name, body) end})
function test.skip(name, body) define(name, body, true) end

function describe(name, body)
  if type(name) ~= "string" or type(body) ~= "function" then misuse("describe takes a name and a function") end
  group = {name = name, parent = group, before = {}, after = {}}
  body()
  group = group.parent
end

local function hook(list, what, body)
  if type(body) ~= "function" then misuse(what .. " takes a function") end
  local hooks = group[list]
  hooks[#hooks + 1] = body
end

function before_each(body) hook("before", "before_each", body) end
function after_each(body) hook("after", "after_each", body) end

-- Running them

local function problem_of(raised)
  if getmetatable(raised) == Failure then return raised end
  local trace = native.traceback():gsub("\n%s*weft%-test%.lua:[^\n]*", ""):gsub("\n%s*%[C%][^\n]*", "")
  return {kind = "error", message = type(raised) == "string" and raised or "an error that is a " .. show(raised),
          trace = trace, place = native.place()}
end

local function run_hooks(at, list, outwards)
  local groups = {}
  while at do
    table.insert(groups, outwards and #groups + 1 or 1, at)
    at = at.parent
  end
  for _, one in ipairs(groups) do
    for _, body in ipairs(one[list]) do body() end
  end
end

local driver = {}

-- Runs a file, which defines its tests. Returns their names and places.
function driver.load(path)
  local ok, problem = xpcall(native.load(path), problem_of)
  if not ok then return {problem = problem} end
  local list = {}
  for i, one in ipairs(tests) do list[i] = {name = one.name, place = one.place} end
  return {tests = list}
end

function driver.run(i)
  local one = tests[i]
  if one.skipped then return {problem = {kind = "skip", message = ""}} end
  world = {services = {}, upstream = echo}
  local ok, problem = xpcall(function()
    run_hooks(one.group, "before", false)
    one.body()
  end, problem_of)
  local cleaned, later = xpcall(run_hooks, problem_of, one.group, "after", true)
  if ok and not cleaned then ok, problem = false, later end
  if ok then return {} end
  -- Without memory there is no handler to ask.
  if type(problem) ~= "table" then problem = {kind = "error", message = tostring(problem)} end
  local report = {}
  for _, key in ipairs({"kind", "message", "place", "actual", "expected", "differences", "trace"}) do
    report[key] = problem[key]
  end
  return {problem = report}
end

native.drive(driver)
