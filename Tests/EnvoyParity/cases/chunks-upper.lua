--> GET /chunks
function envoy_on_response(handle)
  for chunk in handle:bodyChunks() do chunk:setBytes(chunk:getBytes(0, chunk:length()):upper()) end
end
