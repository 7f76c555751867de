-- The documentation's example of a rewritten response.
--> GET /chunks
function envoy_on_response(handle)
  handle:headers():replace("content-type", "text/html")
  local last
  for chunk in handle:bodyChunks() do
    chunk:setBytes("")
    last = chunk
  end
  last:setBytes("<html><b>Not Found<b></html>")
end
