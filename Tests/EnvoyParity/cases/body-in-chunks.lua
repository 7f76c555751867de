--> POST /body
--| hello
--| world
function envoy_on_request(handle)
  local body = handle:body()
  handle:headers():add("x-text", body:getBytes(0, body:length()))
end
