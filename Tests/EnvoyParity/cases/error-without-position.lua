--> GET /
function envoy_on_request(handle) error("deliberate", 0) end
