--> GET /
function envoy_on_request(handle)
  for _, text in ipairs({"", "f", "fo", "foo", "\0\255\254", "hello world"}) do
    handle:logInfo("[" .. handle:base64Escape(text) .. "]")
  end
  handle:logInfo(handle:base64Escape(42))
end
