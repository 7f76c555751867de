--> GET /
function envoy_on_response(handle)
  handle:streamInfo():drainConnectionUponCompletion()
  handle:logInfo("draining")
end
