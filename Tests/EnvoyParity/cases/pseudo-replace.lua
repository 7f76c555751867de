-- The start line through its fields.
--> GET /old?x=1
function envoy_on_request(handle)
  local h = handle:headers()
  h:replace(":path", "/new?y=2")
  h:replace(":method", "POST")
end
function envoy_on_response(handle) handle:headers():replace(":status", "201") end
