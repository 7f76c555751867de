--> POST /body
--| hello
function envoy_on_request(handle)
  local body = handle:body()
  handle:headers():add("x-set", body:setBytes(""))
end
