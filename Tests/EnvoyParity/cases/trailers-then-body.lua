--> GET /trailers
function envoy_on_response(handle)
  handle:trailers()
  handle:body()
end
