-- Sets of addresses by settings: made once, gone with them.
local compiled = setmetatable({}, {__mode = "k"})

-- `acme.shop.example` is the tenant `acme`; a host of fewer than three labels has none.
local function tenant_of(host, settings)
  local name = (host or ""):lower():gsub(":%d+$", "")
  local known = settings.hosts and settings.hosts[name]
  return known or name:match("^([%w-]+)%.[%w-]+%.[%w.-]+") or settings.default
end

local function region_of(address, settings)
  local regions = compiled[settings]
  if not regions then
    regions = {}
    for i, region in ipairs(settings.regions) do regions[i] = {name = region.name, set = weft.ip.set(region.ranges)} end
    compiled[settings] = regions
  end
  for _, region in ipairs(regions) do
    if region.set:contains(address) then return region.name end
  end
end

function on_request(request)
  local settings = request:settings()
  local headers = request:headers()
  -- What a client says about its tenant and its region is not believed.
  headers:replace(settings.header, tenant_of(headers:get(":authority"), settings))
  if #settings.regions == 0 then return end
  headers:remove(settings.regionHeader)
  local region = region_of(request:streamInfo():downstreamRemoteAddress(), settings)
  if region then headers:replace(settings.regionHeader, region) end
end
