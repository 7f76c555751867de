--> POST /body
--| hello
function envoy_on_request(handle) handle:respond({[":status"] = "403"}, "no") end
