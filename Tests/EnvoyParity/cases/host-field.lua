-- "host" is :authority.
--> GET /
function envoy_on_request(handle)
  local h = handle:headers()
  handle:logInfo(h:get("host"))
  h:replace("host", "other.example")
  handle:logInfo(h:get(":authority"))
end
