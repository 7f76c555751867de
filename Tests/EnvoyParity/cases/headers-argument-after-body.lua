-- The documentation's first example: the headers are taken before the wait, and changed after it.
--> POST /body
--| hello
function envoy_on_request(handle)
  handle:headers():add("request_body_size", handle:body():length())
end
