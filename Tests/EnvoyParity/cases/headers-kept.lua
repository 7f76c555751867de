--> GET /
--> GET /
function envoy_on_request(handle)
  if kept then
    local ok, message = pcall(kept.get, kept, ":path")
    handle:logInfo(tostring(ok) .. " " .. message)
  end
  kept = handle:headers()
end
