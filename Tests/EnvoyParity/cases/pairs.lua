-- Every field comes once, and each value of its own.
--> GET /
--> X-One: 1
--> x-many: a
--> x-many: b
function envoy_on_request(handle)
  local seen = {}
  for name, value in pairs(handle:headers()) do
    if not name:find("^x%-forwarded") and not name:find("^x%-envoy") and name ~= "x-request-id" then
      seen[#seen + 1] = name .. "=" .. value
    end
  end
  table.sort(seen)
  handle:logInfo(table.concat(seen, " "))
end
function envoy_on_response(handle)
  local seen = {}
  for name, value in pairs(handle:headers()) do
    if not name:find("^x%-envoy") and name ~= "date" and name ~= "server" and name ~= "content-length" then
      seen[#seen + 1] = name .. "=" .. value
    end
  end
  table.sort(seen)
  handle:logInfo(table.concat(seen, " "))
end
