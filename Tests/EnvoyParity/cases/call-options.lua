--> GET /
function envoy_on_request(handle)
  local headers, body = handle:httpCall("callee", {
    [":method"] = "GET", [":path"] = "/call", [":authority"] = "callee.example",
  }, nil, {timeout_ms = 1000, return_duplicate_headers = true, trace_sampled = false, send_xff = false})
  handle:logInfo(type(headers["x-many"]) .. " " .. table.concat(headers["x-many"], "+") .. " " .. headers["x-backend"])
end
