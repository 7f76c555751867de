-- Adding to what there can be only one of.
--> GET /old
function envoy_on_request(handle)
  local h = handle:headers()
  h:add(":path", "/new")
  handle:logInfo(h:get(":path"))
end
