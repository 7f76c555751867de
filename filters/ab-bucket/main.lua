-- A cookie comes from the client: it may choose its bucket, but no bucket that is not there.
local function is_bucket(name, buckets)
  for _, bucket in ipairs(buckets) do
    if bucket.name == name then return true end
  end
  return false
end

-- Runs before the settings are used; what it returns is an error of the configuration.
function check_settings(settings)
  local seen, total = {}, 0
  for i, bucket in ipairs(settings.buckets) do
    if seen[bucket.name] then return ('there is a bucket "%s" already'):format(bucket.name), "buckets", i, "name" end
    seen[bucket.name] = true
    total = total + bucket.weight
  end
  if total == 0 then return "no bucket has a weight, so that none gets anybody new", "buckets" end
  if settings.cookie:find("^__Host%-") and settings.path ~= "/" then
    return "a cookie called __Host-... has the path /", "path"
  end
end

local function draw(headers, settings)
  local total = 0
  for _, bucket in ipairs(settings.buckets) do total = total + bucket.weight end
  local who = settings.by ~= "" and headers:get(settings.by)
  -- With the cookie's name in the digest, experiments are independent of each other.
  local lot = who and weft.hash.crc32(settings.cookie .. "\0" .. who) % total or weft.random.integer(0, total - 1)
  for _, bucket in ipairs(settings.buckets) do
    lot = lot - bucket.weight
    if lot < 0 then return bucket.name end
  end
end

function on_request(request)
  local settings = request:settings()
  local headers = request:headers()
  local bucket = weft.cookie.get(headers, settings.cookie)
  if not is_bucket(bucket, settings.buckets) then
    bucket = draw(headers, settings)
    -- For on_response, which gives the cookie.
    request:streamInfo():dynamicMetadata():set("ab-bucket", settings.cookie, bucket)
  end
  headers:replace(settings.header, bucket)
end

function on_response(response)
  local settings = response:settings()
  local drawn = response:streamInfo():dynamicMetadata():get("ab-bucket")
  local bucket = drawn and drawn[settings.cookie]
  if not bucket then return end
  local cookie = weft.cookie.build(settings.cookie, bucket, {
    max_age = settings.maxAge, path = settings.path, same_site = settings.sameSite, http_only = true,
    secure = response:requestHeaders():get(":scheme") == "https",
  })
  -- There is none for a name such as __Secure-ab without TLS: browsers would not keep it.
  if cookie then response:headers():add("set-cookie", cookie) end
end
