--> POST /body
--> x-one: 1
--| hello
function envoy_on_request(handle)
  for chunk in handle:bodyChunks() do handle:logInfo(handle:headers():get("x-one")) break end
end
