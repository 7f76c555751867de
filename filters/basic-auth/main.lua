-- Users by settings: made once, gone with them.
local compiled = setmetatable({}, {__mode = "k"})

local function users_of(settings)
  local users = compiled[settings]
  if users then return users end
  users = {by_name = {}}
  for _, user in ipairs(settings.users) do
    local iterations, salt, hash = user.password:match("^pbkdf2_sha256%$(%d+)%$([^$]+)%$(.+)$")
    users.by_name[user.name] = {iterations = math.tointeger(tonumber(iterations)), salt = salt, hash = hash}
    -- Somebody to compute a hash for when a name is not known: that takes as long as for one that is.
    users.stranger = users.stranger or {iterations = math.tointeger(tonumber(iterations)), salt = salt, hash = ""}
  end
  compiled[settings] = users
  return users
end

-- Runs before the settings are used; what it returns is an error of the configuration.
function check_settings(settings)
  local seen = {}
  for i, user in ipairs(settings.users) do
    if seen[user.name] then return ('the user "%s" is in the list already'):format(user.name), "users", i, "name" end
    seen[user.name] = true
    local iterations = tonumber(user.password:match("%$(%d+)%$"))
    if iterations > 50000 then return "has more than 50000 iterations", "users", i, "password" end
  end
end

-- Passwords that were right, so that their hash need not be computed for each request. Kept as a digest under a key that only
-- this worker has, together with the hash they fit: a changed password is not remembered.
local remembered, count = {}, 0
local key = weft.crypto.random_bytes(32)
local most = 10000

local function remember(name, seconds)
  if count >= most then remembered, count = {}, 0 end
  if not remembered[name] then count = count + 1 end
  remembered[name] = weft.time.monotonic() + seconds
end

-- Hashes are slow on purpose. A flood of wrong passwords must not take the processor from everybody else.
local second, used = 0, 0

local function may_compute(settings)
  local now = math.floor(weft.time.monotonic())
  if now ~= second then second, used = now, 0 end
  used = used + 1
  return used <= settings.attempts
end

-- The name and the password (RFC 7617 2).
local function credentials(headers)
  local scheme, encoded = (headers:get("authorization") or ""):match("^(%a+) +(%S+)$")
  if not scheme or scheme:lower() ~= "basic" then return nil end
  local text = weft.base64.decode(encoded)
  if not text or #text > 1024 then return nil end
  return text:match("^([^:]+):(.*)$")
end

local function challenge(request, settings)
  request:respond({
    [":status"] = "401",
    ["www-authenticate"] = ('Basic realm="%s", charset="UTF-8"'):format(settings.realm),
    ["content-type"] = "text/plain",
  }, "a name and a password are required\n")
end

local function is_right(request, settings, name, password)
  local users = users_of(settings)
  local user = users.by_name[name] or users.stranger
  local remembered_as = weft.hash.hmac_sha256(key, table.concat({name, password, user.salt, user.hash}, "\0"), "raw")
  local until_then = remembered[remembered_as]
  if until_then and weft.time.monotonic() < until_then then return true end
  if not may_compute(settings) then
    request:respond({
      [":status"] = "429", ["retry-after"] = "1", ["content-type"] = "text/plain",
    }, "too many attempts\n")
  end
  local hash = weft.crypto.pbkdf2("sha256", password, user.salt, user.iterations, 32, "base64")
  if not weft.crypto.equal(hash, user.hash) then return false end
  remember(remembered_as, settings.remember)
  return true
end

function on_request(request)
  local settings = request:settings()
  local headers = request:headers()
  local name, password = credentials(headers)
  if not name or not is_right(request, settings, name, password) then challenge(request, settings) end
  -- The password is nobody else's business.
  headers:remove("authorization")
  headers:replace(settings.userHeader, name)
end
