--> GET /
function envoy_on_request(handle) handle:headers():remove() end
