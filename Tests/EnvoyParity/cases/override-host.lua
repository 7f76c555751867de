--> GET /
function envoy_on_request(handle)
  for _, arguments in ipairs({{}, {"nonsense"}, {"10.0.0.1:80", "yes"}, {5}, {"example.com:80"}, {"10.0.0.1"},
                              {"[::1]:80", false}}) do
    local ok, message = pcall(handle.setUpstreamOverrideHost, handle, unpack(arguments))
    handle:logInfo(tostring(arguments[1]) .. " " .. tostring(ok))
  end
end
