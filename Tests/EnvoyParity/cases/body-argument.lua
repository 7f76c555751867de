-- What body() takes for its argument.
--> POST /body
--| hello
function envoy_on_request(handle) handle:body("yes") end
