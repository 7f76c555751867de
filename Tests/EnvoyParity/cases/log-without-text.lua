--> GET /
function envoy_on_request(handle) handle:logInfo() end
