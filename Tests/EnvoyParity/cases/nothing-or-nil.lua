-- Concatenating what is not there.
--> GET /
function envoy_on_request(handle) handle:logInfo("a" .. handle:headers():get("x-none")) end
