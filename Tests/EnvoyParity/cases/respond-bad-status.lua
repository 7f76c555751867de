--> GET /
function envoy_on_request(handle) handle:respond({[":status"] = "abc"}, "x") end
