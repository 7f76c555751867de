--> GET /
function envoy_on_request(handle) handle:streamInfo():filterState():get() end
