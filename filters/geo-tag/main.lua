-- What settings amount to, by the settings: made once, gone with them.
local compiled = setmetatable({}, {__mode = "k"})

local function plan_of(settings)
  local plan = compiled[settings]
  if plan then return plan end
  plan = {places = {}, trusted = weft.ip.set(settings.cdn.trusted), ignored = {}}
  for i, place in ipairs(settings.places) do plan.places[i] = {tag = place.tag, set = weft.ip.set(place.ranges)} end
  for _, value in ipairs(settings.cdn.ignore) do plan.ignored[value:upper()] = true end
  compiled[settings] = plan
  return plan
end

-- The first element that is no address or range.
local function odd_one(ranges)
  for i, range in ipairs(ranges) do
    if not pcall(weft.ip.set, {range}) then return i, ('"%s" is no address or range'):format(range) end
  end
end

-- Runs before the settings are used; what it returns is an error of the configuration.
function check_settings(settings)
  for i, place in ipairs(settings.places) do
    local at, why = odd_one(place.ranges)
    if at then return why, "places", i, "ranges", at end
  end
  local at, why = odd_one(settings.cdn.trusted)
  if at then return why, "cdn", "trusted", at end
  if settings.cdn.header ~= "" and #settings.cdn.trusted == 0 then
    return "list the CDN's addresses: from everybody else its header is not believed", "cdn", "trusted"
  end
  if settings.cdn.header == "" and #settings.places == 0 then
    return "nothing says where clients are: list places, or name the header of a CDN"
  end
end

-- What the CDN says; nil when the request does not come from it, or when it does not know.
local function told(request, settings, plan)
  local name = settings.cdn.header
  if name == "" then return nil end
  local headers = request:headers()
  -- The peer itself: what X-Forwarded-For says of others is no reason to trust it.
  if not plan.trusted:contains(request:streamInfo():downstreamDirectRemoteAddress()) then
    headers:remove(name)
    return nil
  end
  local tag = headers:get(name)
  local is_tag = tag ~= nil and #tag <= 32 and tag:find("^[%w-]+$") ~= nil
  return is_tag and not plan.ignored[tag:upper()] and tag or nil
end

local function looked_up(request, plan)
  -- The client as the proxy knows it: X-Forwarded-For counts only as far as the proxy is told to trust its peers.
  local address = request:streamInfo():downstreamRemoteAddress()
  for _, place in ipairs(plan.places) do
    -- nil for what is no IP address, as of a client on a Unix socket.
    if place.set:contains(address) then return place.tag end
  end
end

function on_request(request)
  local settings = request:settings()
  local headers = request:headers()
  local plan = plan_of(settings)
  local tag = told(request, settings, plan) or looked_up(request, plan) or settings.default
  -- What a client says of its place is not believed, also when there is nothing to put in its stead.
  if tag == "" then return headers:remove(settings.header) end
  headers:replace(settings.header, tag)
  -- For later filters.
  request:streamInfo():dynamicMetadata():set("geo-tag", "place", tag)
end
