--> POST /body
--| hello
--| world
function envoy_on_request(handle)
  handle:httpCall("callee", {[":method"] = "GET", [":path"] = "/call", [":authority"] = "x"}, nil, 1000)
  local body = handle:body()
  handle:headers():add("x-length", body:length())
end
