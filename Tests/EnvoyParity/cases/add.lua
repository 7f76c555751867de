-- Adding fields, and numbers as values.
--> GET /
--> x-one: 1
function envoy_on_request(handle)
  local h = handle:headers()
  h:add("x-one", "2")
  h:add("X-New", "new")
  h:add("x-number", 5)
  h:add("x-float", 0.5)
  h:add("x-whole", 10 / 2)
  h:add("x-empty", "")
end
function envoy_on_response(handle)
  handle:headers():add("x-many", "3")
  handle:headers():add("x-new", "new")
end
