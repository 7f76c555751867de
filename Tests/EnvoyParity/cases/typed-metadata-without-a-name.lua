--> GET /
function envoy_on_request(handle) handle:streamInfo():dynamicTypedMetadata() end
