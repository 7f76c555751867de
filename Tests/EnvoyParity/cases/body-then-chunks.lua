--> POST /body
--| hello
function envoy_on_request(handle)
  handle:body()
  handle:bodyChunks()
end
