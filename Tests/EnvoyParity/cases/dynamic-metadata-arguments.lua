--> GET /
function envoy_on_request(handle)
  local m = handle:streamInfo():dynamicMetadata()
  for _, arguments in ipairs({{}, {"a"}, {"a", "b"}, {{}, "b", 1}, {"a", {}, 1}}) do
    local ok, message = pcall(m.set, m, unpack(arguments))
    handle:logInfo(tostring(ok))
  end
  local ok = pcall(m.get, m)
  handle:logInfo(tostring(ok))
end
