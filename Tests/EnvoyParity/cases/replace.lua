-- Replacing fields.
--> GET /
--> x-one: 1
--> x-many: a
--> x-many: b
function envoy_on_request(handle)
  handle:headers():replace("x-one", "one")
  handle:headers():replace("x-many", "c")
  handle:headers():replace("x-new", "new")
end
function envoy_on_response(handle)
  handle:headers():replace("x-many", "3")
  handle:headers():replace("X-Backend", "no")
end
