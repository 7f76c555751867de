local builtin = require("rules")
local normalize = require("normalize")

-- Rules by settings: made once, gone with them.
local compiled = setmetatable({}, {__mode = "k"})

local function rules_of(settings)
  local rules = compiled[settings]
  if rules then return rules end
  rules = {}
  local disabled = {}
  for _, name in ipairs(settings.disable) do disabled[name] = true end
  for _, list in ipairs{builtin, settings.rules} do
    for _, rule in ipairs(list) do
      if not disabled[rule.name] then
        local re = assert(weft.re.compile(rule.pattern, "ism"))
        rules[#rules + 1] = {name = rule.name, targets = rule.targets, re = re}
      end
    end
  end
  compiled[settings] = rules
  return rules
end

-- Runs before the settings are used; what it returns is an error of the configuration.
function check_settings(settings)
  local known = {}
  for _, rule in ipairs(builtin) do known[rule.name] = true end
  for i, rule in ipairs(settings.rules) do
    local re, why = weft.re.compile(rule.pattern, "ism")
    if not re then return "is no regular expression: " .. why, "rules", i, "pattern" end
    if known[rule.name] then return ('there is a rule "%s" already'):format(rule.name), "rules", i, "name" end
    known[rule.name] = true
  end
  for i, name in ipairs(settings.disable) do
    if not known[name] then return ('there is no rule "%s"'):format(name), "disable", i end
  end
end

-- The rule that finds something in the texts, and where.
local function find(rules, texts)
  for _, rule in ipairs(rules) do
    for _, target in ipairs(rule.targets) do
      local text = texts[target]
      if text and rule.re:test(text) then return rule, target end
    end
  end
end

local function header_text(headers, names)
  local parts = {}
  for _, name in ipairs(names) do parts[#parts + 1] = headers:get(name) end
  return #parts > 0 and normalize.input(table.concat(parts, "\n")) or nil
end

-- Text of a body that rules can read; nil for pictures and the like.
local function body_text(request)
  local media_type = (request:headers():get("content-type") or ""):lower():match("^%s*([^;%s]*)")
  local is_text = media_type:find("^text/") or media_type:find("json") or media_type:find("xml")
    or media_type == "application/x-www-form-urlencoded" or media_type == ""
  if not is_text then return nil end
  local body = request:body()
  if not body then return nil end
  local text = body:getBytes(0, body:length())
  return normalize.input(media_type:find("json") and normalize.json(text) or text)
end

-- Returns whether the request may go on.
local function judge(request, settings, texts)
  local rule, target = find(rules_of(settings), texts)
  if not rule then return true end
  request:logWarn(("rule %s found something in the %s"):format(rule.name, target))
  request:streamInfo():dynamicMetadata():set("waf", "rule", rule.name)
  return settings.mode == "log"
end

function on_request(request)
  local settings = request:settings()
  local headers = request:headers()
  local path, query = headers:get(":path"):match("^([^?]*)%??(.*)$")
  local texts = {
    path = normalize.path(path),
    query = query ~= "" and normalize.input(query) or nil,
    headers = header_text(headers, settings.headers),
  }
  -- What the head gives away spares the body.
  local may_go_on = judge(request, settings, texts)
  if may_go_on and settings.body then
    local text = body_text(request)
    may_go_on = not text or judge(request, settings, {body = text})
  end
  -- The client is not told which rule it was: that would be help with the next attempt.
  if not may_go_on then request:respond({[":status"] = "403", ["content-type"] = "text/plain"}, "forbidden\n") end
end
