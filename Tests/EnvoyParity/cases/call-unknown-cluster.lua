--> GET /
function envoy_on_request(handle)
  handle:httpCall("nonesuch", {[":method"] = "GET", [":path"] = "/", [":authority"] = "x"}, nil, 1000)
end
