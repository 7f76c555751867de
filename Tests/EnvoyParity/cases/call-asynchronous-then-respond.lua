--> GET /
function envoy_on_request(handle)
  handle:httpCall("callee", {[":method"] = "POST", [":path"] = "/fire", [":authority"] = "callee.example"}, "x", 5000, true)
  handle:respond({[":status"] = "202"}, "accepted")
end
