-- A table with keys of both kinds.
--> GET /
function envoy_on_request(handle) handle:streamInfo():dynamicMetadata():set("a", "b", {1, x = 2}) end
