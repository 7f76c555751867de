local schema = require("schema")

local compiled = setmetatable({}, {__mode = "k"})

local function check_of(settings)
  local check = compiled[settings]
  if not check then
    check = schema.compile(settings.schema)
    compiled[settings] = check
  end
  return check
end

-- Runs before the settings are used; what it returns is an error of the configuration.
function check_settings(settings)
  local fits, why = pcall(schema.compile, settings.schema)
  if not fits then return why, "schema" end
end

local function is_checked(method, methods)
  for _, one in ipairs(methods) do
    if method == one then return true end
  end
  return false
end

-- Problem details (RFC 9457).
local function problem(request, status, title, errors)
  request:respond(
    {[":status"] = tostring(status), ["content-type"] = "application/problem+json"},
    weft.json.encode({status = status, title = title, errors = errors}) .. "\n")
end

function on_request(request)
  local settings = request:settings()
  local headers = request:headers()
  if not is_checked(headers:get(":method"), settings.methods) then return end
  local media_type = (headers:get("content-type") or ""):lower():match("^%s*([^;%s]*)")
  if media_type ~= "application/json" and not media_type:find("^application/[^;]*%+json$") then
    return problem(request, 415, "The body must be JSON.")
  end
  -- What cannot be read cannot be checked (RFC 9110 15.5.16).
  if headers:get("content-encoding") then return problem(request, 415, "The body must not be encoded.") end
  local body = request:body(true)
  local value, why = weft.json.decode(body:getBytes(0, body:length()))
  if value == nil then return problem(request, 400, "The body is no JSON.", {{detail = why}}) end
  local errors = {}
  check_of(settings)(value, "", function(place, message)
    if #errors < settings.maxErrors then errors[#errors + 1] = {pointer = place, detail = message} end
  end)
  -- RFC 9110 15.5.21: the syntax is right, what it says is not.
  if #errors > 0 then return problem(request, 422, "The body does not fit the schema.", errors) end
end
