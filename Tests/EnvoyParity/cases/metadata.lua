--> GET /
local function text(value)
  if type(value) ~= "table" then return tostring(value) end
  local parts = {}
  for k, v in pairs(value) do parts[#parts + 1] = tostring(k) .. "=" .. text(v) end
  table.sort(parts)
  return "{" .. table.concat(parts, " ") .. "}"
end
function envoy_on_request(handle)
  local m = handle:metadata()
  for _, key in ipairs({"tier", "level", "ratio", "flag", "tags", "nested", "none"}) do
    local value = m:get(key)
    handle:logInfo(key .. " " .. type(value) .. " " .. text(value))
  end
  local keys = {}
  for key, value in pairs(m) do keys[#keys + 1] = key .. "=" .. text(value) end
  table.sort(keys)
  handle:logInfo(table.concat(keys, " "))
end
