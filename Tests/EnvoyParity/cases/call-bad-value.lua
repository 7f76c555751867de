--> GET /
function envoy_on_request(handle)
  handle:httpCall("callee", {[":method"] = "GET", [":path"] = "/", [":authority"] = "x", y = true}, nil, 1000)
end
