--> POST /body
--| hello
function envoy_on_request(handle)
  for chunk in handle:bodyChunks() do end
  handle:body()
end
