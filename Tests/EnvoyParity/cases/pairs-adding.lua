-- Changing the headers while they are iterated over.
--> GET /
--> x-one: 1
function envoy_on_request(handle)
  for name in pairs(handle:headers()) do
    if name == "x-one" then handle:headers():add("x-added", "yes") end
  end
end
