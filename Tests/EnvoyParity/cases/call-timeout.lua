--> GET /
function envoy_on_request(handle)
  local headers, body = handle:httpCall("callee", {[":method"] = "GET", [":path"] = "/slow", [":authority"] = "x"}, nil, 100)
  handle:logInfo(headers[":status"] .. " " .. body)
end
