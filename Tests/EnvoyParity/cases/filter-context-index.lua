-- As the documentation has it, which Envoy itself does not do.
--> GET /
function envoy_on_request(handle) handle:logInfo(tostring(handle:filterContext()["key"])) end
