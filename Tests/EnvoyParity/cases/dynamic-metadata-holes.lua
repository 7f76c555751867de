--> GET /
function envoy_on_request(handle)
  handle:streamInfo():dynamicMetadata():set("a", "b", {[1] = "x", [3] = "z"})
  local list = handle:streamInfo():dynamicMetadata():get("a").b
  handle:logInfo(tostring(list[1]) .. tostring(list[2]) .. tostring(list[3]))
end
