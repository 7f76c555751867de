--> GET /
function envoy_on_request(handle)
  local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end)
  handle:headers():add("x-sum", co() + co() + co())
end
