-- A length that the script makes up.
--> GET /
function envoy_on_request(handle)
  handle:httpCall("callee", {[":method"] = "POST", [":path"] = "/call", [":authority"] = "x", ["content-length"] = "99"},
    "four", 1000)
end
