-- A body of no bytes.
--> POST /none
--> content-length: 0
function envoy_on_request(handle)
  local body = handle:body()
  handle:headers():add("x-body", tostring(body))
end
