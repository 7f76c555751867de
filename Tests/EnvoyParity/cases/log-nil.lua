--> GET /
function envoy_on_request(handle) handle:logErr(nil) end
