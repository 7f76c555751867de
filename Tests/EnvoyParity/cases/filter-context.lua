--> GET /
function envoy_on_request(handle)
  local context = handle:filterContext()
  handle:logInfo(context:get("key"))
  handle:logInfo(tostring(context:get("number")))
  handle:logInfo(tostring(context:get("flag")))
  handle:logInfo(context:get("list")[2])
  handle:logInfo(context:get("inner").x)
  local none = context:get("none")
  handle:logInfo(tostring(none))
  local keys = {}
  for key in pairs(context) do keys[#keys + 1] = key end
  table.sort(keys)
  handle:logInfo(table.concat(keys, " "))
end
