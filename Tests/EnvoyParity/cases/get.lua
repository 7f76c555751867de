-- What get() gives.
--> GET /
--> x-one: 1
--> x-many: a
--> x-many: b
--> x-empty:
function envoy_on_request(handle)
  local h = handle:headers()
  for _, name in ipairs({"x-one", "X-ONE", "x-many", "x-empty", "x-none", "", ":path", ":method", ":authority",
                         ":scheme", ":status", "host", ":Path", "user-agent"}) do
    local value = h:get(name)
    handle:logInfo(name .. " = " .. tostring(value))
  end
end
