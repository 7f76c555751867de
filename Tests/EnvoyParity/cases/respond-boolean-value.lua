--> GET /
function envoy_on_request(handle) handle:respond({[":status"] = "200", ["x-n"] = true}, "x") end
