--> GET /
function envoy_on_request(handle) handle:streamInfo():dynamicMetadata():set("a", "b", function() end) end
