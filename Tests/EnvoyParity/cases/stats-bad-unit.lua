--> GET /
function envoy_on_request(handle) handle:stats():histogram("parity_bad", "parsecs") end
