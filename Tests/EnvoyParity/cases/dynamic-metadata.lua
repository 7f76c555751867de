--> GET /
local function text(value)
  if type(value) ~= "table" then return tostring(value) end
  local parts = {}
  for k, v in pairs(value) do parts[#parts + 1] = tostring(k) .. "=" .. text(v) end
  table.sort(parts)
  return "{" .. table.concat(parts, " ") .. "}"
end
function envoy_on_request(handle)
  local m = handle:streamInfo():dynamicMetadata()
  m:set("envoy.lb", "number", 5)
  m:set("envoy.lb", "float", 0.5)
  m:set("envoy.lb", "text", "hi")
  m:set("envoy.lb", "flag", true)
  m:set("envoy.lb", "nothing", nil)
  m:set("envoy.lb", "list", {"a", "b", {c = "d"}})
  m:set("envoy.lb", "table", {x = 1, y = {z = false}})
  m:set("envoy.lb", "empty", {})
  m:set("other", "key", "value")
  m:set("other", "key", "changed")
end
function envoy_on_response(handle)
  local m = handle:streamInfo():dynamicMetadata()
  handle:logInfo(text(m:get("envoy.lb")))
  handle:logInfo(m:get("envoy.lb")["list"][2])
  local none = m:get("none")
  handle:logInfo(tostring(none))
  local names = {}
  for name, values in pairs(m) do names[#names + 1] = name .. text(values) end
  table.sort(names)
  handle:logInfo(table.concat(names, " "))
end
