function envoy_on_request(request)
  local headers = request:headers()
  local agent = headers:get("user-agent") or "none"
  headers:replace("x-lua", agent .. "-seen")
  if headers:get(":path") == "/blocked" then
    request:respond({[":status"] = "403"}, "no")
  end
end

function envoy_on_response(response)
  response:headers():replace("x-lua-resp", "yes")
end
