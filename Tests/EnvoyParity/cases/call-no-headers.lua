--> GET /
function envoy_on_request(handle) handle:httpCall("callee", {}, nil, 1000) end
