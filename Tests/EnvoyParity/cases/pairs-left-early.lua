-- break, and then a change.
--> GET /
--> x-one: 1
function envoy_on_request(handle)
  for name in pairs(handle:headers()) do break end
  handle:headers():add("x-after", "yes")
end
