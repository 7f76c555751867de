--> GET /
function envoy_on_request(handle)
  handle:httpCall("callee", {[":method"] = "POST", [":path"] = "/call", [":authority"] = "x", ["x-n"] = 5}, 42, 1000)
end
