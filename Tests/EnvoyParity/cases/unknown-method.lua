--> GET /
function envoy_on_request(handle) handle:nonesuch() end
