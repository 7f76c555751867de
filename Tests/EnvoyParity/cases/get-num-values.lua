-- How many values a field has.
--> GET /
--> x-many: a
--> x-many: b
--> x-empty:
function envoy_on_request(handle)
  local h = handle:headers()
  for _, name in ipairs({"x-many", "X-Many", "x-empty", "x-none", ":path", ":status", ":scheme"}) do
    handle:logInfo(name .. " " .. h:getNumValues(name))
  end
end
