--> GET /
function envoy_on_request(handle) handle:stats():counter("parity_negative"):add(-1) end
