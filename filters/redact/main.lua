local detectors = require("detectors")

-- What settings amount to, by the settings: made once, gone with them.
local compiled = setmetatable({}, {__mode = "k"})

local function plain_name(name) return (name:lower():gsub("[-_]", "")) end

local function plan_of(settings)
  local plan = compiled[settings]
  if plan then return plan end
  plan = {fields = {}, searches = {}}
  for _, name in ipairs(settings.fields) do plan.fields[plain_name(name)] = true end
  for _, name in ipairs(settings.detect) do
    local detector = detectors[name]
    table.insert(plan.searches, {re = assert(weft.re.compile(detector.pattern)), check = detector.check})
  end
  for _, pattern in ipairs(settings.patterns) do
    table.insert(plan.searches, {re = assert(weft.re.compile(pattern))})
  end
  compiled[settings] = plan
  return plan
end

-- Runs before the settings are used; what it returns is an error of the configuration.
function check_settings(settings)
  for i, pattern in ipairs(settings.patterns) do
    local re, why = weft.re.compile(pattern)
    if not re then return "is no regular expression: " .. why, "patterns", i end
    if re:test("") then return "finds the empty text, and so something everywhere", "patterns", i end
  end
end

-- The text without what is looked for, and how often it was found.
local function clean_text(text, plan, mask)
  local found = 0
  for _, search in ipairs(plan.searches) do
    text = search.re:gsub(text, function(match)
      if search.check and not search.check(match) then return nil end
      found = found + 1
      return mask
    end)
  end
  return text, found
end

-- Cleans a value in place. Returns what takes its place, and how much was found.
local function clean(value, plan, mask)
  if type(value) == "string" then return clean_text(value, plan, mask) end
  -- A card number may come as a number; shorter ones are nothing that is looked for.
  if math.type(value) == "integer" and value >= 1000000000000 then
    local text, found = clean_text(tostring(value), plan, mask)
    return found > 0 and text or value, found
  end
  if type(value) ~= "table" then return value, 0 end
  local found = 0
  for key, one in pairs(value) do
    if type(key) == "string" and plan.fields[plain_name(key)] and one ~= weft.json.null then
      value[key] = mask
      found = found + 1
    else
      local cleaned, n = clean(one, plan, mask)
      -- Only fields that are there are assigned to, which a traversal allows.
      if n > 0 then value[key] = cleaned end
      found = found + n
    end
  end
  return value, found
end

local function is_json(headers)
  local media_type = (headers:get("content-type") or ""):lower():match("^%s*([^;%s]*)")
  return media_type == "application/json" or media_type:find("^application/[^;]*%+json$") ~= nil
end

-- The body as it may go out, and how much was found; nil for one that cannot be read.
local function clean_body(text, plan, mask)
  local value = weft.json.decode(text)
  if value == nil then return nil end
  local cleaned, found = clean(value, plan, mask)
  return found > 0 and weft.json.encode(cleaned) or text, found
end

function on_request(request)
  -- Neither a compressed body nor a part of one could be read.
  request:headers():replace("accept-encoding", "identity")
  request:headers():remove("range")
end

function on_response(response)
  local headers = response:headers()
  if not is_json(headers) then return end
  local settings = response:settings()
  local is_encoded = headers:get("content-encoding") ~= nil
  local body = response:body()
  if not body then return end
  local text, found
  if not is_encoded then text, found = clean_body(body:getBytes(0, body:length()), plan_of(settings), settings.mask) end
  if not text then
    -- What cannot be read may hold anything.
    if settings.onInvalid == "pass" then return end
    response:logWarn("a JSON response cannot be read, and is held back")
    response:respond({[":status"] = "502", ["content-type"] = "text/plain"}, "the service's answer is not valid\n")
  elseif found > 0 then
    body:setBytes(text)
    -- They were computed over what was there before (RFC 9110 8.8.3, RFC 9530).
    for _, name in ipairs{"etag", "content-md5", "content-digest", "repr-digest"} do headers:remove(name) end
  end
end
