-- An iterator that is made and not used.
--> POST /body
--| hello
function envoy_on_request(handle)
  handle:bodyChunks()
  local body = handle:body()
  handle:headers():add("x-length", body:length())
end
