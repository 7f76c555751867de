--> POST /body
--| hello
--| world
function envoy_on_request(handle)
  for chunk in handle:bodyChunks() do handle:respond({[":status"] = "403"}, "late") end
end
