--> GET /
function envoy_on_request(handle) handle:timestamp(EnvoyTimestampResolution.MICROSECOND) end
