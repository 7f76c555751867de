--> GET /
--> 5: five
function envoy_on_request(handle) handle:logInfo(tostring(handle:headers():get(5))) end
