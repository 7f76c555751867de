--> GET /
function envoy_on_request(handle)
  handle:logInfo(EnvoyTimestampResolution.MILLISECOND .. " " .. EnvoyTimestampResolution.MICROSECOND)
end
