--> GET /
function envoy_on_request(handle) handle:base64Escape() end
