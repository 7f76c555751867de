-- The documentation's other example of a rewritten response.
--> GET /status/404
function envoy_on_response(handle)
  handle:body():setBytes("<html><b>Not Found<b></html>")
  handle:headers():replace("content-type", "text/html")
end
