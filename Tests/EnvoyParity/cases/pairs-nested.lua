-- One iteration inside another.
--> GET /
--> x-one: 1
function envoy_on_request(handle)
  local n = 0
  for name in pairs(handle:headers()) do
    for other in pairs(handle:headers()) do n = n + 1 end
  end
  handle:headers():add("x-done", "yes")
end
