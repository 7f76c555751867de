--> GET /
function envoy_on_request(handle) error() end
