--> GET /
function envoy_on_request(handle)
  handle:httpCall("callee", {[":method"] = "GET", [":path"] = "/", [":authority"] = "x"}, nil, {timeout_ms = -1})
end
