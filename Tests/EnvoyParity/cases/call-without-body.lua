-- nil and "" are no body; so is an answer without one.
--> GET /
function envoy_on_request(handle)
  local fields = {[":method"] = "GET", [":path"] = "/none", [":authority"] = "callee.example"}
  local headers, body = handle:httpCall("callee", fields, nil, 1000)
  handle:logInfo(headers[":status"] .. " " .. tostring(body))
  headers, body = handle:httpCall("callee", fields, "", 1000)
  handle:logInfo(headers[":status"] .. " " .. tostring(body))
end
