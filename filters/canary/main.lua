local function wants_canary(headers, settings)
  if settings.header.name ~= "" and headers:get(settings.header.name) == settings.header.value then return true end
  return settings.cookie.name ~= "" and weft.cookie.get(headers, settings.cookie.name) == settings.cookie.value
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
