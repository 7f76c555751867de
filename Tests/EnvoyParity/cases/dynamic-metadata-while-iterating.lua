--> GET /
function envoy_on_request(handle)
  local m = handle:streamInfo():dynamicMetadata()
  m:set("a", "b", 1)
  for name in pairs(m) do m:set("c", "d", 1) end
end
