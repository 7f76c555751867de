--> GET /
function envoy_on_request(handle)
  handle:logTrace("t")
  handle:logDebug("d")
  handle:logInfo("i")
  handle:logWarn("w")
  handle:logErr("e")
  handle:logCritical("c")
  handle:logInfo(42)
end
