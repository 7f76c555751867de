-- RFC 6265 5.4; a client may send several Cookie fields (RFC 9113 8.2.3).
local function cookie(headers, name)
  for i = 0, headers:getNumValues("cookie") - 1 do
    for key, value in (headers:getAtIndex("cookie", i) or ""):gmatch("([^=;%s]+)=([^;]*)") do
      if key == name then return value end
    end
  end
end

local function wants_canary(headers, settings)
  if settings.header.name ~= "" and headers:get(settings.header.name) == settings.header.value then return true end
  return settings.cookie.name ~= "" and cookie(headers, settings.cookie.name) == settings.cookie.value
end

function on_request(request)
  local settings = request:settings()
  local headers = request:headers()
  local is_canary = wants_canary(headers, settings)
  if settings.mark ~= "" then
    -- The mark is this filter's to give: a client's own is taken away, on the canary's rule as well.
    local was_marked = headers:get(settings.mark) ~= nil
    if is_canary then
      headers:replace(settings.mark, "true")
    else
      headers:remove(settings.mark)
    end
    if is_canary ~= was_marked then request:clearRouteCache() end
  end
  if is_canary and settings.endpoint ~= "" then request:setUpstreamOverrideHost(settings.endpoint) end
end
