--> GET /
function envoy_on_request(handle)
  local trailers = handle:trailers()
  handle:logInfo(tostring(trailers))
end
