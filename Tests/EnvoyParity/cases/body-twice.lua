--> POST /body
--| hello
function envoy_on_request(handle)
  local first = handle:body()
  local second = handle:body()
  handle:logInfo(tostring(first == second) .. " " .. second:length())
end
