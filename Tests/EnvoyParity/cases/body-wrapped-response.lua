--> GET /none
function envoy_on_response(handle)
  local body = handle:body(true)
  handle:headers():add("x-length", body:length())
  body:setBytes("made up")
end
