local compiled = setmetatable({}, {__mode = "k"})

-- One expression for a list, so that each request is matched once.
local function any_of(list)
  if #list == 0 then return nil end
  local parts = {}
  for i, pattern in ipairs(list) do
    parts[i] = "(?:" .. pattern .. ")"
  end
  return assert(weft.re.compile(table.concat(parts, "|"), "i"))
end

-- Runs before the settings are used; what it returns is an error of the configuration.
function check_settings(settings)
  for _, name in ipairs{"block", "allow"} do
    for i, pattern in ipairs(settings[name]) do
      local re, why = weft.re.compile(pattern, "i")
      if not re then return "is no regular expression: " .. why, name, i end
    end
    local fits, why = pcall(any_of, settings[name])
    if not fits then return "the expressions are too much together: " .. why, name end
  end
  for i, path in ipairs(settings.paths) do
    if path:sub(1, 1) ~= "/" then return ('"%s" is no prefix of a path; paths begin with "/"'):format(path), "paths", i end
  end
end

local function rules_of(settings)
  local rules = compiled[settings]
  if not rules then
    rules = {block = any_of(settings.block), allow = any_of(settings.allow)}
    compiled[settings] = rules
  end
  return rules
end

local function is_open(path, prefixes)
  for _, prefix in ipairs(prefixes) do
    if path:sub(1, #prefix) == prefix then return true end
  end
  return false
end

local function is_blocked(agent, settings)
  if not agent or agent == "" then return settings.blockEmpty end
  -- Nobody's name is that long; matching stays cheap.
  agent = agent:sub(1, 512)
  local rules = rules_of(settings)
  if rules.allow and rules.allow:test(agent) then return false end
  return rules.block ~= nil and rules.block:test(agent)
end

function on_request(request)
  local settings = request:settings()
  local headers = request:headers()
  if is_blocked(headers:get("user-agent"), settings) and not is_open(headers:get(":path"), settings.paths) then
    request:respond({[":status"] = "403", ["content-type"] = "text/plain"}, "forbidden\n")
  end
end
