--> GET /
function envoy_on_response(handle)
  local headers, body = handle:httpCall("callee", {
    [":method"] = "GET", [":path"] = "/call", [":authority"] = "x"}, nil, 1000)
  handle:headers():add("x-called", headers[":status"])
end
