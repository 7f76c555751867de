--> GET /status/404
function envoy_on_response(handle)
  if handle:headers():get(":status") == "404" then handle:headers():replace(":status", "200") end
end
