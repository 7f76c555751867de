-- A change after an iteration that was finished.
--> GET /
function envoy_on_request(handle)
  for name in pairs(handle:headers()) do end
  handle:headers():add("x-after", "yes")
end
