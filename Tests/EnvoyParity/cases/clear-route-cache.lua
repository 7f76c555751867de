--> GET /
function envoy_on_request(handle)
  handle:clearRouteCache()
  handle:headers():add("x-cleared", "yes")
end
function envoy_on_response(handle) handle:clearRouteCache() end
