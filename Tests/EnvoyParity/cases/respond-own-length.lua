-- A length that the script makes up.
--> GET /
function envoy_on_request(handle) handle:respond({[":status"] = "200", ["content-length"] = "99"}, "four") end
