-- The whole body of both.
--> POST /body
--| hello world
function envoy_on_request(handle)
  local body = handle:body()
  handle:headers():add("x-length", body:length())
  handle:headers():add("x-part", body:getBytes(6, 5))
end
function envoy_on_response(handle)
  local body = handle:body()
  handle:headers():add("x-text", body:getBytes(0, body:length()))
end
