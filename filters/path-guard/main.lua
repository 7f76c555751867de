local function is_guarded(path, prefixes)
  for _, prefix in ipairs(prefixes) do
    if path:sub(1, #prefix) == prefix then return true end
  end
  return false
end

-- Runs before the settings are used; what it returns is an error of the configuration.
function check_settings(settings)
  for i, prefix in ipairs(settings.prefixes) do
    if prefix:sub(1, 1) ~= "/" then return ('"%s" is no prefix of a path; paths begin with "/"'):format(prefix), "prefixes", i end
  end
end

function on_request(request)
  if is_guarded(request:headers():get(":path"), request:settings().prefixes) then
    request:respond({[":status"] = "403", ["content-type"] = "text/plain"}, "forbidden\n")
  end
end
