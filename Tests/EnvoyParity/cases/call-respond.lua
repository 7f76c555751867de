--> GET /
function envoy_on_request(handle)
  local headers = handle:httpCall("callee", {
    [":method"] = "POST", [":path"] = "/call", [":authority"] = "callee.example"}, "hello world", 5000)
  handle:respond({[":status"] = "403", ["upstream_foo"] = headers["x-backend"]}, "nope")
end
