--> POST /body
--| hello
function envoy_on_request(handle) handle:body():setBytes() end
