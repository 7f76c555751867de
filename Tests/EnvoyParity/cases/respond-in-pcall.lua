--> GET /
function envoy_on_request(handle)
  pcall(function() handle:respond({[":status"] = "403"}, "no") end)
  handle:logInfo("not reached")
end
