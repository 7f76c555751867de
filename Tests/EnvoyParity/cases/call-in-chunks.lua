-- A call in the middle of a body.
--> GET /chunks
function envoy_on_response(handle)
  local called = false
  for chunk in handle:bodyChunks() do
    if not called then
      called = true
      local headers = handle:httpCall("callee", {[":method"] = "GET", [":path"] = "/call", [":authority"] = "x"}, nil, 1000)
      handle:logInfo(headers[":status"])
    end
  end
end
