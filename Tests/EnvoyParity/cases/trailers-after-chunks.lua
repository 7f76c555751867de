--> GET /trailers
function envoy_on_response(handle)
  for chunk in handle:bodyChunks() do end
  local trailers = handle:trailers()
  for name, value in pairs(trailers) do handle:logInfo(name .. "=" .. value) end
  trailers:replace("x-sum", "6")
end
