--> GET /
function envoy_on_request(handle)
  local headers, body = handle:httpCall("callee", {
    [":method"] = "POST", [":path"] = "/call?x=1", [":authority"] = "callee.example", ["x-tag"] = "t",
    ["set-cookie"] = {"lang=lua; Path=/", "type=binding; Path=/"},
  }, "hello callee", 5000)
  handle:headers():add("x-status", headers[":status"])
  handle:headers():add("x-backend", headers["x-backend"])
  handle:headers():add("x-many", headers["x-many"])
  handle:headers():add("x-body", #body)
  handle:logInfo(body)
end
