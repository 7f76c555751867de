--> GET /
function envoy_on_request(handle)
  local n = select("#", handle:httpCall("callee", {
    [":method"] = "POST", [":path"] = "/fire", [":authority"] = "callee.example"}, "and forget", 5000, true))
  handle:logInfo(tostring(n))
end
