--> GET /
function envoy_on_request(handle) handle:respond("200", "x") end
