--> GET /
function envoy_on_request(handle)
  local ok, message = pcall(function() handle:headers():add("x") end)
  handle:headers():add("x-ok", tostring(ok))
end
