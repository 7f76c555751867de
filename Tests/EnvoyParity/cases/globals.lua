-- Globals live as long as the state.
--> GET /
--> GET /
count = 0
function envoy_on_request(handle)
  count = count + 1
  handle:headers():add("x-count", count)
end
