--> GET /
function envoy_on_request(handle)
  local headers = handle:httpCall("callee", {
    [":method"] = "GET", [":path"] = "/call", [":authority"] = "callee.example",
  }, nil, {timeout_ms = 1000, return_duplicate_headers = false})
  handle:logInfo(headers["x-many"])
end
