--> POST /body
--| hello
function envoy_on_request(handle)
  handle:headers():logInfo("headers")
  handle:streamInfo():logInfo("streamInfo")
  handle:streamInfo():dynamicMetadata():logInfo("dynamicMetadata")
  handle:metadata():logInfo("metadata")
  handle:connection():logInfo("connection")
  handle:connectionStreamInfo():logInfo("connectionStreamInfo")
  handle:connectionStreamInfo():dynamicMetadata():logInfo("connection's dynamicMetadata")
  handle:filterContext():logInfo("filterContext")
  handle:virtualHost():logInfo("virtualHost")
  handle:route():logInfo("route")
  handle:streamInfo():filterState():logInfo("filterState")
  handle:body():logInfo("body")
end
