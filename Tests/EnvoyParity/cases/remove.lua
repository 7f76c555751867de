-- Removing fields.
--> GET /
--> x-one: 1
--> x-many: a
--> x-many: b
function envoy_on_request(handle)
  handle:headers():remove("X-One")
  handle:headers():remove("x-many")
  handle:headers():remove("x-none")
end
function envoy_on_response(handle) handle:headers():remove("x-many") end
