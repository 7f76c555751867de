local allowed = setmetatable({}, {__mode = "k"})

-- Runs before the settings are used; what it returns is an error of the configuration.
function check_settings(settings)
  for i, range in ipairs(settings.allow) do
    if not pcall(weft.ip.set, {range}) then return ('"%s" is no address or range'):format(range), "allow", i end
  end
  for i, path in ipairs(settings.paths) do
    if path:sub(1, 1) ~= "/" then return ('"%s" is no path; paths begin with "/"'):format(path), "paths", i end
  end
end

local function is_allowed(request, settings)
  local path = request:headers():get(":path"):match("^[^?]*")
  for _, open in ipairs(settings.paths) do
    if path == open then return true end
  end
  local set = allowed[settings]
  if not set then
    set = weft.ip.set(settings.allow)
    allowed[settings] = set
  end
  return set:contains(request:streamInfo():downstreamRemoteAddress())
end

local escapes = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;"}
local function escape(text) return (text:gsub("[&<>]", escapes)) end

-- The text for whoever asks: programs get JSON, people a page.
local function page(accept, settings)
  if accept and accept:find("json", 1, true) then
    return "application/json", weft.json.encode({error = settings.title, message = settings.message}) .. "\n"
  elseif accept and accept:find("text/html", 1, true) then
    return "text/html; charset=utf-8", ("<!doctype html><title>%s</title><h1>%s</h1><p>%s</p>\n"):format(
      escape(settings.title), escape(settings.title), escape(settings.message))
  end
  return "text/plain; charset=utf-8", settings.title .. ": " .. settings.message .. "\n"
end

function on_request(request)
  local settings = request:settings()
  if not settings.enabled or is_allowed(request, settings) then return end
  local content_type, body = page(request:headers():get("accept"), settings)
  request:respond({
    [":status"] = "503",
    ["content-type"] = content_type,
    -- RFC 9110 10.2.3; without it crawlers come back at once, or take the page for the content.
    ["retry-after"] = tostring(settings.retryAfter),
    ["cache-control"] = "no-store",
    vary = "accept",
  }, body)
end
