--> HEAD /
function envoy_on_request(handle) handle:respond({[":status"] = "200"}, "unseen") end
