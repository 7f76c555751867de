--> GET /
function envoy_on_request(handle)
  local key = handle:importPublicKey("nonsense", 8)
  local value = key:get()
  handle:logInfo(tostring(value))
  local ok, message = handle:verifySignature("sha256", key:get(), "x", 1, "y", 1)
end
