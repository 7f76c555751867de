--> GET /
function envoy_on_response(handle) handle:headers():replace(":status", 202) end
