--> GET /
function envoy_on_request(handle)
  handle:respond({[":status"] = "403", ["x-why"] = "because", ["X-Upper"] = "case"}, "nope")
  handle:logInfo("not reached")
end
