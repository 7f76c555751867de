--> GET /
function envoy_on_request(handle) handle:importPublicKey("nonsense") end
