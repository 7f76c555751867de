-- A handle that is used after its exchange.
--> GET /
--> GET /
function envoy_on_request(handle)
  if kept then
    local ok, message = pcall(kept.headers, kept)
    handle:logInfo(tostring(ok) .. " " .. tostring(message))
  end
  kept = handle
end
