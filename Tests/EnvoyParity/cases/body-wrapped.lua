-- body(true) gives a buffer where there is no body, and the buffer can be filled.
--> GET /body
function envoy_on_request(handle)
  local body = handle:body(true)
  handle:headers():add("x-length", body:length())
  handle:headers():add("x-set", body:setBytes("made up"))
end
