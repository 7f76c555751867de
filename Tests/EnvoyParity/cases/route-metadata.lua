--> GET /
function envoy_on_request(handle)
  handle:logInfo(handle:route():metadata():get("tier"))
  handle:logInfo(handle:virtualHost():metadata():get("tier"))
  local value = handle:route():metadata():get("none")
  handle:logInfo(tostring(value))
end
