--> POST /body
--| hello
function envoy_on_request(handle)
  local body = handle:body()
  for _, range in ipairs({{0, 0}, {5, 0}, {0, 5}, {4, 1}, {0, 6}, {6, 0}, {-1, 1}, {0, -1}, {1.5, 2}}) do
    local ok, result = pcall(body.getBytes, body, range[1], range[2])
    handle:logInfo(range[1] .. " " .. range[2] .. " " .. tostring(ok) .. " " .. result)
  end
end
