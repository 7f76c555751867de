--> GET /
--> x-one: 1
--> x-two: 2
function envoy_on_request(handle)
  for name in pairs(handle:headers()) do
    if name == "x-one" then handle:headers():remove("x-two") end
  end
end
