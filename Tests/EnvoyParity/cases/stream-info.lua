--> GET /
function envoy_on_request(handle)
  local info = handle:streamInfo()
  handle:logInfo(info:protocol())
  handle:logInfo(type(info:routeName()) .. " [" .. info:virtualClusterName() .. "] [" .. info:requestedServerName() .. "]")
  for _, name in ipairs({"downstreamLocalAddress", "downstreamDirectLocalAddress", "downstreamRemoteAddress",
                         "downstreamDirectRemoteAddress"}) do
    handle:logInfo(name .. " " .. info[name](info):gsub("%d+$", "PORT"))
  end
  local ssl = info:downstreamSslConnection()
  handle:logInfo(tostring(ssl))
  ssl = handle:connection():ssl()
  handle:logInfo(tostring(ssl))
end
