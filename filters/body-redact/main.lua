local function is_text(content_type)
  return content_type ~= nil and (content_type:find("^text/") ~= nil or content_type:find("json", 1, true) ~= nil)
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
