-- Options of another type than they are documented with.
--> GET /
function envoy_on_request(handle)
  handle:httpCall("callee", {[":method"] = "GET", [":path"] = "/call", [":authority"] = "x"}, nil,
    {timeout_ms = "1000", asynchronous = 1})
end
