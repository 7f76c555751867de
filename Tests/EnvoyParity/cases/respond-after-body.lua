-- Once the body is there, the head has still not gone on.
--> POST /body
--| hello
function envoy_on_request(handle)
  local body = handle:body()
  handle:respond({[":status"] = "200"}, body:getBytes(0, body:length()) .. "!")
end
