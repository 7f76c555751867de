--> POST /body
--| hello
function envoy_on_request(handle)
  local body = handle:body()
  handle:headers():add("x-set", body:setBytes("a longer body than before"))
end
function envoy_on_response(handle) handle:body():setBytes("short") end
