-- The head has gone on by then.
--> POST /body
--| hello
--| world
function envoy_on_request(handle)
  for chunk in handle:bodyChunks() do handle:headers():add("x-late", "yes") end
end
