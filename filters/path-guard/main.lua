local function is_guarded(path, prefixes)
  for _, prefix in ipairs(prefixes) do
    if path:sub(1, #prefix) == prefix then return true end
  end
  return false
end

function on_request(request)
  if is_guarded(request:headers():get(":path"), request:settings().prefixes) then
    request:respond({[":status"] = "403", ["content-type"] = "text/plain"}, "forbidden\n")
  end
end
