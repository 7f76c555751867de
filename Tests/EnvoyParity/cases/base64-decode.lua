--> GET /
function envoy_on_request(handle)
  for _, text in ipairs({"", "Zg==", "Zm8=", "Zm9v", "Zg", "Zm9vYg", "!!!!", "Zm9v\n", "Zm 9v", "-_8=", "+/8=", "Z", "Zg=",
                         "Zh==", "====", "Zm9vZg==Zg==", "Zg==="}) do
    local value = handle:base64Decode(text)
    handle:logInfo("[" .. text .. "] " .. (value and handle:base64Escape(value) or "nil"))
  end
end
