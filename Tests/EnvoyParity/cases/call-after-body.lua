--> POST /body
--| hello
function envoy_on_request(handle)
  local body = handle:body()
  local _, answer = handle:httpCall("callee", {
    [":method"] = "POST", [":path"] = "/body", [":authority"] = "x"}, body:getBytes(0, body:length()), 1000)
  handle:headers():add("x-answer", answer)
end
