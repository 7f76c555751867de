local function wants_canary(headers, settings)
  if settings.header.name ~= "" and headers:get(settings.header.name) == settings.header.value then return true end
  return settings.cookie.name ~= "" and weft.cookie.get(headers, settings.cookie.name) == settings.cookie.value
end

-- Runs before the settings are used; what it returns is an error of the configuration.
function check_settings(settings)
  if settings.endpoint ~= "" then
    local endpoint = weft.ip.parse(settings.endpoint)
    if not endpoint or not endpoint.port then
      return ('"%s" is no address with a port, such as 10.0.0.5:8080'):format(settings.endpoint), "endpoint"
    end
  elseif settings.mark == "" then
    return "say where the canary is: an endpoint, or a mark that a route rule matches"
  end
  if settings.header.name == "" and settings.cookie.name == "" then
    return "nothing asks for the canary: name a header or a cookie"
  end
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
