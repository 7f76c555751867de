--> GET /
function envoy_on_request(handle) handle:httpCall() end
