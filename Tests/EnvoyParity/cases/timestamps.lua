--> GET /
function envoy_on_request(handle)
  local ms = handle:timestamp()
  handle:logInfo(type(ms) .. " " .. tostring(ms > 1600000000000))
  handle:logInfo(tostring(handle:timestamp(EnvoyTimestampResolution.MILLISECOND) >= ms))
  handle:logInfo(tostring(#handle:timestampString()))
  handle:logInfo(tostring(#handle:timestampString(EnvoyTimestampResolution.MILLISECOND)))
  handle:logInfo(tostring(#handle:timestampString(EnvoyTimestampResolution.MICROSECOND)))
  handle:logInfo(type(handle:timestampString()))
end
