--> GET /
function envoy_on_request(handle) handle:setUpstreamOverrideHost("10.9.9.9:80", true) end
