-- Sets of addresses by the settings that they were made from: made once, gone with the settings.
local trusted = setmetatable({}, {__mode = "k"})

local function is_trusted(request, settings)
  local set = trusted[settings]
  if not set then
    set = weft.ip.set(settings.trusted)
    trusted[settings] = set
  end
  -- The peer itself: what X-Forwarded-For says of others is no reason to trust it.
  return set:contains(request:streamInfo():downstreamDirectRemoteAddress())
end

-- Runs before the settings are used; what it returns is an error of the configuration.
function check_settings(settings)
  for i, range in ipairs(settings.trusted) do
    if not pcall(weft.ip.set, {range}) then return ('"%s" is no address or range'):format(range), "trusted", i end
  end
end

-- Identifiers end in logs and queries: nothing else than plain tokens, and no long ones.
local function is_identifier(text)
  return text ~= nil and #text <= 128 and text:find("^[%w._-]+$") ~= nil
end

function on_request(request)
  local settings = request:settings()
  local headers = request:headers()
  local id = headers:get(settings.header)
  if not (is_identifier(id) and is_trusted(request, settings)) then
    id = settings.format == "uuid4" and weft.uuid.v4() or weft.uuid.v7()
    headers:replace(settings.header, id)
  end
end

function on_response(response)
  local settings = response:settings()
  if not settings.echo then return end
  local id = response:requestHeaders():get(settings.header)
  if id then response:headers():replace(settings.header, id) end
end
