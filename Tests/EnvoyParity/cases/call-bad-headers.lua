--> GET /
function envoy_on_request(handle) handle:httpCall("callee", "x", nil, 1000) end
