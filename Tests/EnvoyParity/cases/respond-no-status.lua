--> GET /
function envoy_on_request(handle) handle:respond({}, "x") end
