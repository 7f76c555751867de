--> GET /
function envoy_on_request(handle) handle:respond({[":status"] = "204"}) end
