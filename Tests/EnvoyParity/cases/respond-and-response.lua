-- The script's own response side sees what its request side answered.
--> GET /
function envoy_on_request(handle) handle:respond({[":status"] = "200"}, "x") end
function envoy_on_response(handle) handle:headers():add("x-seen", "yes") end
