--> GET /
function envoy_on_response(handle) handle:headers():setHttp1ReasonPhrase("Odd") end
