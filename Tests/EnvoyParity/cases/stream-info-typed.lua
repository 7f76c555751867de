-- Typed metadata and filter state that nobody has set.
--> GET /
function envoy_on_request(handle)
  local info = handle:streamInfo()
  local value = info:dynamicTypedMetadata("envoy.filters.http.set_metadata")
  handle:logInfo(tostring(value))
  value = handle:connectionStreamInfo():dynamicTypedMetadata("envoy.filters.listener.proxy_protocol")
  handle:logInfo(tostring(value))
  value = info:filterState():get("auth.result")
  handle:logInfo(tostring(value))
  value = info:filterState():get("user.info", "name")
  handle:logInfo(tostring(value))
  value = handle:connectionStreamInfo():dynamicMetadata():get("envoy.lb")
  handle:logInfo(tostring(value))
  for name in pairs(handle:connectionStreamInfo():dynamicMetadata()) do handle:logInfo(name) end
end
