--> GET /
function envoy_on_request(handle)
  handle:headers():setHttp1ReasonPhrase("Odd")
  handle:logInfo("fine")
end
