-- Nobody listens there.
--> GET /
function envoy_on_request(handle)
  local headers, body = handle:httpCall("dead", {[":method"] = "GET", [":path"] = "/", [":authority"] = "x"}, nil, 1000)
  handle:logInfo(headers[":status"])
end
