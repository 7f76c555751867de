--> GET /
function envoy_on_request(handle) handle:httpCall("callee", {[":method"] = "GET", [":path"] = "/"}, nil, 1000) end
