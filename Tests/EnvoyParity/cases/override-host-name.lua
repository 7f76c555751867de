--> GET /
function envoy_on_request(handle) handle:setUpstreamOverrideHost("backend.example") end
