--> GET /
function envoy_on_request(handle)
  handle:body()
  for chunk in handle:bodyChunks() do end
  handle:logInfo("fine")
end
