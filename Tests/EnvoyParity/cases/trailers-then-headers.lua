--> GET /trailers
function envoy_on_response(handle)
  handle:trailers()
  handle:headers():add("x-late", "yes")
end
