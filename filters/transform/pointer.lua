-- JSON pointers (RFC 6901) on what weft.json has decoded.
local pointer = {}

-- "/a~1b/0" names the fields "a/b" and "0".
local function parts_of(text)
  local parts = {}
  for part in text:gmatch("/([^/]*)") do
    parts[#parts + 1] = part:gsub("~1", "/"):gsub("~0", "~")
  end
  return parts
end

-- The key under which `value` holds a part: in a list it is a number, from 0 in a pointer and from 1 in Lua.
local function key_in(value, part)
  if weft.json.is_array(value) then
    local index = part:find("^%d+$") and tonumber(part)
    return index and index < #value and math.tointeger(index) + 1 or nil
  end
  return part
end

-- The table that holds the last part, and the key in it. `make`: tables on the way that are not there are made.
local function find(root, text, make)
  local parts = parts_of(text)
  local at = root
  for i = 1, #parts do
    if type(at) ~= "table" then return nil end
    local key = key_in(at, parts[i])
    if key == nil then return nil end
    if i == #parts then return at, key end
    if make and at[key] == nil then at[key] = {} end
    at = at[key]
  end
end

local function remove(holder, key)
  if type(key) == "number" then
    table.remove(holder, key)
  else
    holder[key] = nil
  end
end

-- Each returns whether something has changed.

function pointer.set(root, text, value)
  local holder, key = find(root, text, true)
  if not holder then return false end
  holder[key] = value
  return true
end

function pointer.remove(root, text)
  local holder, key = find(root, text)
  if not holder or holder[key] == nil then return false end
  remove(holder, key)
  return true
end

function pointer.move(root, from, to)
  local holder, key = find(root, from)
  if not holder or holder[key] == nil then return false end
  local value = holder[key]
  remove(holder, key)
  return pointer.set(root, to, value) or true
end

return pointer
