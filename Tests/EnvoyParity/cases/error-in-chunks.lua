--> GET /chunks
function envoy_on_response(handle)
  for chunk in handle:bodyChunks() do error("deliberate") end
end
