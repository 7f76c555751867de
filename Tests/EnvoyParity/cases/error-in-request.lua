--> GET /
function envoy_on_request(handle) error("deliberate") end
