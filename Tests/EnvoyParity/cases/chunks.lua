-- The pieces, put together.
--> POST /body
--| hello
--| world
function envoy_on_request(handle)
  local text = ""
  for chunk in handle:bodyChunks() do text = text .. chunk:getBytes(0, chunk:length()) end
  handle:logInfo(text)
end
