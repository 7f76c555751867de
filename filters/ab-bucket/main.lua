-- RFC 6265 5.4; a client may send several Cookie fields (RFC 9113 8.2.3).
local function cookie(headers, name)
  for i = 0, headers:getNumValues("cookie") - 1 do
    for key, value in (headers:getAtIndex("cookie", i) or ""):gmatch("([^=;%s]+)=([^;]*)") do
      if key == name then return value end
    end
  end
end

-- A cookie comes from the client: it may choose its bucket, but no bucket that is not there.
local function is_bucket(name, buckets)
  for _, bucket in ipairs(buckets) do
    if bucket.name == name then return true end
  end
  return false
end

local function draw(headers, settings)
  local total = 0
  for _, bucket in ipairs(settings.buckets) do total = total + bucket.weight end
  if total == 0 then return settings.buckets[1].name end
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
  local bucket = cookie(headers, settings.cookie)
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
  local secure = response:requestHeaders():get(":scheme") == "https" and "; Secure" or ""
  response:headers():add("set-cookie", ("%s=%s; Max-Age=%d; Path=%s; SameSite=%s; HttpOnly%s"):format(
    settings.cookie, bucket, settings.maxAge, settings.path, settings.sameSite, secure))
end
