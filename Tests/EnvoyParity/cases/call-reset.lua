--> GET /
function envoy_on_request(handle)
  local headers, body = handle:httpCall("callee", {[":method"] = "POST", [":path"] = "/close", [":authority"] = "x"}, nil, 1000)
  handle:logInfo(headers[":status"])
end
