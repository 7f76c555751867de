--> GET /
function envoy_on_request(handle) handle:headers():getNumValues() end
