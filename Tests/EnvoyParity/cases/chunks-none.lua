--> GET /none
function envoy_on_request(handle)
  local n = 0
  for chunk in handle:bodyChunks() do n = n + 1 end
  handle:headers():add("x-chunks", n)
end
