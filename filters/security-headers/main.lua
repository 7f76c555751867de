local function strict_transport(hsts)
  local value = "max-age=" .. hsts.maxAge
  if hsts.includeSubDomains then value = value .. "; includeSubDomains" end
  if hsts.preload then value = value .. "; preload" end
  return value
end

-- Runs before the settings are used; what it returns is an error of the configuration.
function check_settings(settings)
  for name, value in pairs(settings.headers) do
    if not name:find("^[%w!#$%%&'*+.^_`|~-]+$") then return "is no name of a header", "headers", name end
    if value:find("%c") then return "has a control character, which no header may have", "headers", name end
  end
end

local function set(headers, name, value, override)
  -- The service knows its pages best, so that what it says stands unless told otherwise.
  if value ~= "" and (override or not headers:get(name)) then headers:replace(name, value) end
end

function on_response(response)
  local settings = response:settings()
  local headers = response:headers()
  for _, name in ipairs(settings.remove) do headers:remove(name) end
  for name, value in pairs(settings.headers) do set(headers, name, value, settings.override) end
  -- RFC 6797 7.2: not in a response over plain HTTP.
  if settings.hsts.enabled and response:requestHeaders():get(":scheme") == "https" then
    set(headers, "strict-transport-security", strict_transport(settings.hsts), settings.override)
  end
end
