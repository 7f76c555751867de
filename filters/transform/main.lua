local pointer = require("pointer")

-- In a fixed order, so that a rename and a set of the same name do what one expects.
local function change_headers(headers, changes)
  for old, new in pairs(changes.rename or {}) do
    local value = headers:get(old)
    if value then
      headers:remove(old)
      headers:replace(new, value)
    end
  end
  for _, name in ipairs(changes.remove) do headers:remove(name) end
  for name, value in pairs(changes.set or {}) do headers:replace(name, value) end
  for name, value in pairs(changes.add or {}) do headers:add(name, value) end
end

-- What is wrong with the headers that are set or added, and the path to it.
local function problem(changes, side)
  for _, kind in ipairs{"rename", "set", "add"} do
    for name, value in pairs(changes[kind] or {}) do
      if not name:find("^[%w-]+$") then return "is no name of a header", side, kind, name end
      if value:find("%c") then return "has a control character, which no header may have", side, kind, name end
    end
  end
  for _, kind in ipairs{"rename", "set"} do
    for place in pairs(changes.json and changes.json[kind] or {}) do
      if place:sub(1, 1) ~= "/" then return ('"%s" is no JSON pointer; they begin with "/"'):format(place), side, "json", kind end
    end
  end
end

-- Runs before the settings are used; what it returns is an error of the configuration.
function check_settings(settings)
  for _, side in ipairs{"request", "response"} do
    local found = table.pack(problem(settings[side], side))
    if found[1] then return table.unpack(found, 1, found.n) end
  end
end

-- Settings that set nothing have no table.
local function has_json(changes)
  local json = changes.json
  return json ~= nil and (#json.remove > 0 or next(json.rename or {}) ~= nil or next(json.set or {}) ~= nil)
end

-- application/json and application/*+json (RFC 6839 3.1).
local function is_json(headers)
  local media_type = (headers:get("content-type") or ""):lower():match("^%s*([^;%s]*)")
  return media_type == "application/json" or media_type:find("^application/[^;]*%+json$") ~= nil
end

local function change_json(value, json)
  for from, to in pairs(json.rename or {}) do pointer.move(value, from, to) end
  for _, place in ipairs(json.remove) do pointer.remove(value, place) end
  for place, new in pairs(json.set or {}) do pointer.set(value, place, new) end
end

-- Returns whether the body is as it should be now; false for one that is no JSON.
local function change_body(handle, changes)
  local headers = handle:headers()
  if not has_json(changes) or not is_json(headers) then return true end
  local body = handle:body()
  if not body then return true end
  if headers:get("content-encoding") then return false end
  local value = weft.json.decode(body:getBytes(0, body:length()))
  if type(value) ~= "table" then return false end
  change_json(value, changes.json)
  local text = weft.json.encode(value)
  if not text then return false end
  body:setBytes(text)
  -- They were computed over what was there before (RFC 9110 8.8.3, RFC 9530).
  for _, name in ipairs{"etag", "content-md5", "content-digest", "repr-digest"} do headers:remove(name) end
  return true
end

function on_request(request)
  local settings = request:settings()
  local changes = settings.request
  change_headers(request:headers(), changes)
  if has_json(settings.response) then
    -- A compressed response, or a part of one, could not be changed.
    request:headers():replace("accept-encoding", "identity")
    request:headers():remove("range")
  end
  if not change_body(request, changes) and changes.onInvalid == "refuse" then
    request:respond({[":status"] = "400", ["content-type"] = "text/plain"}, "the body is not the JSON that was expected\n")
  end
end

function on_response(response)
  local changes = response:settings().response
  if not change_body(response, changes) and changes.onInvalid == "refuse" then
    response:respond({[":status"] = "502", ["content-type"] = "text/plain"}, "the service's answer is not valid\n")
  end
  change_headers(response:headers(), changes)
end
