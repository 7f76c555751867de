--> GET /
function envoy_on_request(handle)
  handle:httpCall("callee", {[":method"] = "POST", [":path"] = "/call", [":authority"] = "callee.example"}, "x", 5000, nil)
end
