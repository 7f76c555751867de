--> GET /
function envoy_on_request(handle)
  local _, body = handle:httpCall("callee", {[":method"] = "GET", [":path"] = "/chunks", [":authority"] = "x"}, nil, 1000)
  handle:logInfo(body)
end
