--> POST /body
--| hello
--| world
function envoy_on_request(handle)
  local first
  for chunk in handle:bodyChunks() do
    if first then
      local ok = pcall(first.length, first)
      handle:logInfo(tostring(ok))
      break
    end
    first = chunk
  end
end
