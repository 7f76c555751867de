--> GET /
function envoy_on_request(handle) handle:metadata():get() end
