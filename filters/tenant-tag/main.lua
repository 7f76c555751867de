-- `acme.shop.example` is the tenant `acme`; a host of fewer than three labels has none.
local function tenant_of(host)
  return host and host:match("^([%w-]+)%.[%w-]+%.[%w.-]+")
end

function on_request(request)
  local settings = request:settings()
  local headers = request:headers()
  -- What a client says about its tenant is not believed.
  headers:replace(settings.header, tenant_of(headers:get(":authority")) or settings.default)
end
