-- No body at all.
--> GET /none
function envoy_on_request(handle)
  local body = handle:body()
  handle:headers():add("x-body", tostring(body))
  body = handle:body(false)
  handle:headers():add("x-again", tostring(body))
end
function envoy_on_response(handle)
  local body = handle:body()
  handle:headers():add("x-body", tostring(body))
end
