-- `acme.shop.example` is the tenant `acme`; a host of fewer than three labels has none.
local function tenant_of(host, settings)
  local name = (host or ""):lower():gsub(":%d+$", "")
  local known = settings.hosts and settings.hosts[name]
  return known or name:match("^([%w-]+)%.[%w-]+%.[%w.-]+") or settings.default
end

function on_request(request)
  local settings = request:settings()
  local headers = request:headers()
  -- What a client says about its tenant is not believed.
  headers:replace(settings.header, tenant_of(headers:get(":authority"), settings))
end
