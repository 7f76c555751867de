--> GET /
function envoy_on_request(handle)
  local co = coroutine.create(function()
    handle:httpCall("callee", {[":method"] = "GET", [":path"] = "/call", [":authority"] = "x"}, nil, 1000)
  end)
  local ok = coroutine.resume(co)
  handle:logInfo("went on")
end
