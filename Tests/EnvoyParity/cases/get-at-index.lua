-- Values of a field by their index.
--> GET /
--> x-many: a
--> x-many: b
--> x-empty:
function envoy_on_request(handle)
  local h = handle:headers()
  for _, pair in ipairs({{"x-many", 0}, {"x-many", 1}, {"x-many", 2}, {"x-many", -1}, {"x-many", 1.7}, {"x-empty", 0},
                         {"x-none", 0}, {":path", 0}, {":path", 1}}) do
    local value = h:getAtIndex(pair[1], pair[2])
    handle:logInfo(pair[1] .. " " .. tostring(pair[2]) .. " = " .. tostring(value))
  end
end
