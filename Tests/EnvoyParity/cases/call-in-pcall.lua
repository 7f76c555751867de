--> GET /
function envoy_on_request(handle)
  local ok, headers = pcall(function()
    return handle:httpCall("callee", {[":method"] = "GET", [":path"] = "/call", [":authority"] = "x"}, nil, 1000)
  end)
  handle:logInfo(tostring(ok) .. " " .. headers[":status"])
end
