--> GET /chunks
function envoy_on_response(handle)
  local trailers = handle:trailers()
  handle:logInfo(tostring(trailers))
end
