--> POST /body
--| hello
--^ x-sum: 5
--^ x-gone: 1
function envoy_on_request(handle)
  handle:body()
  local trailers = handle:trailers()
  handle:logInfo(trailers:get("x-sum"))
  trailers:add("x-more", "yes")
  trailers:remove("x-gone")
end
