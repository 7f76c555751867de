--> GET /
function envoy_on_request(handle) handle:headers():get() end
