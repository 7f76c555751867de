-- Attackers write the same thing in many ways. This brings texts into one form before rules look at them: decoded (twice,
-- for what is encoded twice), without SQL comments, with single spaces.
local normalize = {}

local function from_hex(digits) return string.char(tonumber(digits, 16)) end

-- Not weft.url.decode: what is malformed is left as it is, not refused, for the service may be as lenient.
local function unescape(text) return (text:gsub("%%(%x%x)", from_hex)) end

function normalize.path(text) return unescape(unescape(text)) end

function normalize.input(text)
  -- "+" is a space in queries and forms; after decoding it is a plus.
  text = unescape(unescape((text:gsub("%+", " "))))
  return (text:gsub("/%*.-%*/", " "):gsub("[ \t\r\f\v]+", " "))
end

local function collect(value, parts)
  if type(value) == "string" then
    parts[#parts + 1] = value
  elseif type(value) == "table" then
    for key, one in pairs(value) do
      if type(key) == "string" then parts[#parts + 1] = key end
      collect(one, parts)
    end
  end
end

-- The names and texts of a JSON document, one a line, with their escapes undone; nil when it is none.
function normalize.json(text)
  local value = weft.json.decode(text)
  if value == nil then return nil end
  local parts = {}
  collect(value, parts)
  return table.concat(parts, "\n")
end

return normalize
