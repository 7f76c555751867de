--> GET /
function envoy_on_request(handle) handle:respond({[":status"] = "600"}, "x") end
