--> GET /
function envoy_on_request(handle)
  local fields = {[":method"] = "GET", [":authority"] = "x"}
  for i = 1, 3 do
    fields[":path"] = "/call-" .. i
    local _, body = handle:httpCall("callee", fields, nil, 1000)
    handle:logInfo(body)
  end
end
