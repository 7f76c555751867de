--> GET /
function envoy_on_request(handle) handle:timestampString(5) end
