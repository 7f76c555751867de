--> GET /
function envoy_on_response(handle) handle:respond({[":status"] = "503"}, "replaced") end
