--> GET /
function envoy_on_request(handle) handle:verifySignature("sha256", "never imported", "x", 1, "y", 1) end
