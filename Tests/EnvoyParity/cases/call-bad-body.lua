--> GET /
function envoy_on_request(handle)
  handle:httpCall("callee", {[":method"] = "POST", [":path"] = "/", [":authority"] = "x"}, {}, 1000)
end
