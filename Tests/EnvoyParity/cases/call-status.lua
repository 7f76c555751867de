--> GET /
function envoy_on_request(handle)
  local headers, body = handle:httpCall("callee", {
    [":method"] = "GET", [":path"] = "/status/404", [":authority"] = "x"}, nil, 1000)
  handle:logInfo(headers[":status"] .. " " .. body)
end
