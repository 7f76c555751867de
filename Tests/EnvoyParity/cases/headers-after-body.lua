-- An object that is used after a wait.
--> POST /body
--| hello
function envoy_on_request(handle)
  local headers = handle:headers()
  handle:body()
  headers:add("x-after", "yes")
end
