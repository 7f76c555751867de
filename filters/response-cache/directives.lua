-- Cache-Control (RFC 9111 5.2) and what follows from it.
local directives = {}

-- A table of the directives by name: `true`, or the argument as text.
function directives.parse(value)
  local found = {}
  -- Arguments may be quoted, with commas in them; what is quoted and no number (names of fields) does not matter here.
  local plain = (value or ""):gsub('"([^"]*)"', function(text) return text:find("^%d+$") and text or "quoted" end)
  for item in plain:gmatch("[^,]+") do
    local name, argument = item:lower():match("^%s*([%w-]+)%s*=?%s*(%S*)%s*$")
    if name then
      argument = argument ~= "" and argument or true
      -- Given twice, and not alike: not fresh at all is the safe reading (RFC 9111 4.2.1).
      if found[name] ~= nil and found[name] ~= argument then argument = "0" end
      found[name] = argument
    end
  end
  return found
end

-- Seconds (RFC 9111 1.2.2): a plain number; what is none counts as 0, for a response with it is stale.
function directives.seconds(argument)
  return type(argument) == "string" and argument:find("^%d+$") and math.min(tonumber(argument), 2147483648) or 0
end

-- How long a response is fresh, in seconds, from when the service made it (RFC 9111 4.2.1); nil when it does not say.
function directives.lifetime(headers, control)
  if control["s-maxage"] then return directives.seconds(control["s-maxage"]) end
  if control["max-age"] then return directives.seconds(control["max-age"]) end
  local expires = headers:get("expires")
  if not expires then return nil end
  -- A date that is none, 0 above all, is one in the past (RFC 9111 5.3).
  local at = weft.time.parse_http_date(expires)
  local made = weft.time.parse_http_date(headers:get("date") or "") or weft.time.now()
  return at and math.max(at - made, 0) or 0
end

return directives
