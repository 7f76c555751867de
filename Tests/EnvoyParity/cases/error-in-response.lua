--> GET /
function envoy_on_response(handle)
  handle:headers():add("x-before", "yes")
  error("deliberate")
end
