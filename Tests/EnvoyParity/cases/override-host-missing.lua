-- An address that is no endpoint: without strict the load balancer chooses.
--> GET /
function envoy_on_request(handle) handle:setUpstreamOverrideHost("10.9.9.9:80", false) end
