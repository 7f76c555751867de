--> POST /body
--| hello
function envoy_on_request(handle) handle:body():setBytes("a\0b\255c") end
