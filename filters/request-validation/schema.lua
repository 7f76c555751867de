-- The part of JSON Schema (draft 2020-12) that describes plain data. A schema is compiled into checks once, so that a
-- keyword that is not known is found before it lets something through.
local schema = {}

local null = weft.json.null

local is_array = weft.json.is_array

local function is_integer(value) return type(value) == "number" and value % 1 == 0 end

local types = {
  object = function(value) return type(value) == "table" and not is_array(value) end,
  array = is_array,
  string = function(value) return type(value) == "string" end,
  number = function(value) return type(value) == "number" end,
  -- 1.0 is an integer (JSON Schema 6.1.1).
  integer = is_integer,
  boolean = function(value) return type(value) == "boolean" end,
  null = function(value) return value == null end,
}

-- Values are equal when their texts are: names are written in order. Numbers are compared by value.
local function same(a, b)
  if type(a) == "number" and type(b) == "number" then return a == b end
  return type(a) == type(b) and weft.json.encode(a) == weft.json.encode(b)
end

-- Each keyword makes a check from its value: check(value, place, report). `place` is a JSON pointer (RFC 6901). Checks are
-- made only for values of their type, as JSON Schema has it.
local keywords = {}
local compile

local function of_type(name, check)
  local is = types[name]
  return function(value, place, report)
    if is(value) then check(value, place, report) end
  end
end

function keywords.type(wanted)
  local names = type(wanted) == "string" and {wanted} or wanted
  local shown = {}
  for i, name in ipairs(names) do
    if not types[name] then error("there is no type \"" .. tostring(name) .. "\"", 0) end
    shown[i] = name
  end
  return function(value, place, report)
    for _, name in ipairs(shown) do
      if types[name](value) then return end
    end
    report(place, "must be of type " .. table.concat(shown, " or "))
  end
end

function keywords.enum(allowed)
  return function(value, place, report)
    for _, one in ipairs(allowed) do
      if same(value, one) then return end
    end
    report(place, "is none of the allowed values")
  end
end

function keywords.const(wanted)
  return function(value, place, report)
    if not same(value, wanted) then report(place, "is not the value that it must be") end
  end
end

local function bound(fits, message)
  return function(limit)
    return of_type("number", function(value, place, report)
      if not fits(value, limit) then report(place, message:format(tostring(limit))) end
    end)
  end
end

keywords.minimum = bound(function(v, limit) return v >= limit end, "must be at least %s")
keywords.maximum = bound(function(v, limit) return v <= limit end, "must be at most %s")
keywords.exclusiveMinimum = bound(function(v, limit) return v > limit end, "must be more than %s")
keywords.exclusiveMaximum = bound(function(v, limit) return v < limit end, "must be less than %s")
keywords.multipleOf = bound(function(v, unit) return v % unit == 0 end, "must be a multiple of %s")

local function size(name, of, fits, message)
  return function(limit)
    return of_type(name, function(value, place, report)
      if not fits(of(value), limit) then report(place, message:format(limit)) end
    end)
  end
end

-- Characters, not bytes. What has been decoded is UTF-8.
local function length(text) return utf8.len(text) or #text end
local function count(array) return #array end
local function count_fields(object)
  local n = 0
  for _ in pairs(object) do n = n + 1 end
  return n
end
local function at_least(n, limit) return n >= limit end
local function at_most(n, limit) return n <= limit end

keywords.minLength = size("string", length, at_least, "must have at least %d characters")
keywords.maxLength = size("string", length, at_most, "must have at most %d characters")
keywords.minItems = size("array", count, at_least, "must have at least %d elements")
keywords.maxItems = size("array", count, at_most, "must have at most %d elements")
keywords.minProperties = size("object", count_fields, at_least, "must have at least %d fields")
keywords.maxProperties = size("object", count_fields, at_most, "must have at most %d fields")

function keywords.pattern(text)
  local re, why = weft.re.compile(text, "u")
  if not re then error("no regular expression: " .. text .. ": " .. why, 0) end
  return of_type("string", function(value, place, report)
    if not re:test(value) then report(place, "does not match the pattern " .. text) end
  end)
end

function keywords.uniqueItems(wanted)
  return of_type("array", function(value, place, report)
    local seen = {}
    for i, one in ipairs(wanted and value or {}) do
      local text = weft.json.encode(one)
      if seen[text] then return report(("%s/%d"):format(place, i - 1), "is there twice") end
      seen[text] = true
    end
  end)
end

function keywords.items(inner)
  local check = compile(inner)
  return of_type("array", function(value, place, report)
    for i, one in ipairs(value) do check(one, ("%s/%d"):format(place, i - 1), report) end
  end)
end

local function below(place, name) return place .. "/" .. name:gsub("~", "~0"):gsub("/", "~1") end

function keywords.required(names)
  return of_type("object", function(value, place, report)
    for _, name in ipairs(names) do
      if value[name] == nil then report(below(place, name), "is missing") end
    end
  end)
end

function keywords.properties(inner)
  local checks = {}
  for name, one in pairs(inner) do checks[name] = compile(one) end
  return of_type("object", function(value, place, report)
    for name, check in pairs(checks) do
      if value[name] ~= nil then check(value[name], below(place, name), report) end
    end
  end)
end

function keywords.additionalProperties(inner, whole)
  local known = whole.properties or {}
  local check = type(inner) == "table" and compile(inner)
  return of_type("object", function(value, place, report)
    if inner == true then return end
    for name, one in pairs(value) do
      if known[name] == nil then
        if check then
          check(one, below(place, name), report)
        else
          report(below(place, name), "is not known")
        end
      end
    end
  end)
end

-- The number of schemas that a value fits.
local function fitting(checks, value, place)
  local n = 0
  for _, check in ipairs(checks) do
    local fits = true
    check(value, place, function() fits = false end)
    if fits then n = n + 1 end
  end
  return n
end

local function combination(is_fine, message)
  return function(inner)
    local checks = {}
    for i, one in ipairs(inner) do checks[i] = compile(one) end
    return function(value, place, report)
      if not is_fine(fitting(checks, value, place), #checks) then report(place, message) end
    end
  end
end

keywords.allOf = combination(function(n, all) return n == all end, "does not fit all that it must fit")
keywords.anyOf = combination(function(n) return n > 0 end, "fits nothing of what is allowed")
keywords.oneOf = combination(function(n) return n == 1 end, "must fit exactly one of what is allowed")

keywords["not"] = function(inner)
  local check = compile(inner)
  return function(value, place, report)
    if fitting({check}, value, place) > 0 then report(place, "is what it must not be") end
  end
end

local annotations = {title = true, description = true, default = true, examples = true, ["$schema"] = true, ["$id"] = true}

function compile(source)
  local checks = {}
  for keyword, argument in pairs(source) do
    if keywords[keyword] then
      checks[#checks + 1] = keywords[keyword](argument, source)
    elseif not annotations[keyword] then
      error("the keyword \"" .. tostring(keyword) .. "\" is not supported", 0)
    end
  end
  return function(value, place, report)
    for _, check in ipairs(checks) do check(value, place, report) end
  end
end

-- Returns check(value, place, report), which calls report(place, message) for each mistake. Raises an error for a schema
-- with something in it that is not known.
schema.compile = compile

return schema
