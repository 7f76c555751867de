--> GET /
function envoy_on_request(handle)
  handle:httpCall("callee", {[":method"] = "POST", [":path"] = "/fire", [":authority"] = "callee.example"},
    "and forget", {asynchronous = true})
end
