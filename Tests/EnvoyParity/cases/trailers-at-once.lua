-- Without reading the body first.
--> GET /trailers
function envoy_on_response(handle)
  local trailers = handle:trailers()
  handle:logInfo(trailers:get("x-sum"))
  trailers:add("x-more", "yes")
end
