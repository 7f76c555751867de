--> POST /body
--| hello
function envoy_on_request(handle)
  handle:body()
  local trailers = handle:trailers()
  handle:logInfo(tostring(trailers))
end
