-- Sets by the settings that they were made from: made once, gone with the settings.
local compiled = setmetatable({}, {__mode = "k"})

local function sets_of(settings)
  local sets = compiled[settings]
  if not sets then
    sets = {allow = #settings.allow > 0 and weft.ip.set(settings.allow), deny = weft.ip.set(settings.deny)}
    compiled[settings] = sets
  end
  return sets
end

-- Runs before the settings are used; what it returns is an error of the configuration.
function check_settings(settings)
  for _, name in ipairs{"allow", "deny"} do
    for i, range in ipairs(settings[name]) do
      if not pcall(weft.ip.set, {range}) then return ('"%s" is no address or range'):format(range), name, i end
    end
  end
end

local function may_come(sets, address)
  local is_denied = sets.deny:contains(address)
  -- nil: no IP address, as of a client on a Unix socket. It is on no list, so that a list of those allowed lacks it.
  if is_denied then return false end
  return not sets.allow or sets.allow:contains(address) == true
end

function on_request(request)
  local settings = request:settings()
  -- The client as the proxy knows it: X-Forwarded-For counts only as far as the proxy is told to trust its peers.
  if may_come(sets_of(settings), request:streamInfo():downstreamRemoteAddress()) then return end
  request:respond(
    {[":status"] = tostring(settings.status), ["content-type"] = "text/plain"},
    settings.status == 404 and "not found\n" or "forbidden\n")
end
