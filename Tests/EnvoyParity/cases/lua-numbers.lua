-- Whole numbers that come of divisions.
--> GET /
function envoy_on_request(handle)
  handle:headers():add("x-half", 10 / 4)
  handle:headers():add("x-whole", 10 / 2)
  handle:logInfo("sum " .. tostring(10 / 2))
  handle:logInfo(string.format("%d", 7.9))
end
