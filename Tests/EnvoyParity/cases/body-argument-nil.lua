--> POST /body
--| hello
function envoy_on_request(handle) handle:headers():add("x-length", handle:body(nil):length()) end
