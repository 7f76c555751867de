local function is_text(content_type)
  return content_type ~= nil and (content_type:find("^text/") ~= nil or content_type:find("json", 1, true) ~= nil)
end

-- Runs before the settings are used; what it returns is an error of the configuration.
function check_settings(settings)
  local fits, why = pcall(string.find, "", settings.pattern)
  if not fits then return "is no Lua pattern: " .. why, "pattern" end
  if (""):find("^" .. settings.pattern .. "$") then return "finds the empty text, and so something everywhere", "pattern" end
  -- The text is a match of any pattern here: only the replacement is looked at.
  fits, why = pcall(string.gsub, "x", "x", settings.replacement)
  if not fits then return "is no replacement: " .. why, "replacement" end
end

function on_response(response)
  if not is_text(response:headers():get("content-type")) then return end
  local settings = response:settings()
  local body = response:body(true)
  local text, count = body:getBytes(0, body:length()):gsub(settings.pattern, settings.replacement)
  if count > 0 then
    body:setBytes(text)
    response:headers():add("x-redacted", tostring(count))
  end
end
