--> POST /body
--| hello
--| world
function envoy_on_request(handle)
  handle:headers():remove("content-length")
  for chunk in handle:bodyChunks() do chunk:setBytes(chunk:getBytes(0, chunk:length()):upper()) end
end
