--> GET /
function envoy_on_request(handle)
  local ok, message = pcall(handle.headers, handle:headers())
  handle:logInfo(tostring(ok))
end
