local directives = require("directives")
local store = require("store")

-- Statuses that may be kept when the response says for how long, or 200 by default (RFC 9110 15.1).
local cacheable = {}
for _, status in ipairs{200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501} do cacheable[tostring(status)] = true end

local safe = {GET = true, HEAD = true, OPTIONS = true, TRACE = true}

-- Not kept with a response: about one message or one client, or written anew each time.
local not_kept = {age = true, ["cache-status"] = true, ["content-length"] = true, ["x-request-id"] = true, ["x-correlation-id"] = true}

local function url_of(headers)
  return headers:get(":scheme") .. "://" .. headers:get(":authority"):lower() .. headers:get(":path")
end

-- Requests

-- Whether the stored response may answer this request (RFC 9111 5.2.1).
local function satisfies(kept, control)
  if control["no-cache"] then return false end
  if control["max-age"] and kept.age > directives.seconds(control["max-age"]) then return false end
  return not (control["min-fresh"] and kept.lifetime - kept.age < directives.seconds(control["min-fresh"]))
end

local function header_of(kept, name)
  for _, field in ipairs(kept.headers) do
    if field[1] == name then return field[2] end
  end
end

-- Whether the client has this response already (RFC 9110 13.1.2, 13.1.3). Tags are compared weakly.
local function is_not_modified(kept, headers)
  local wanted, tag = headers:get("if-none-match"), header_of(kept, "etag")
  if wanted then
    if wanted == "*" then return true end
    tag = tag and tag:gsub("^W/", "")
    for one in wanted:gmatch('"[^"]*"') do
      if one == tag then return true end
    end
    return false
  end
  local since = weft.time.parse_http_date(headers:get("if-modified-since") or "")
  local modified = weft.time.parse_http_date(header_of(kept, "last-modified") or "")
  return since ~= nil and modified ~= nil and modified <= since
end

-- What a 304 says (RFC 9110 15.4.5).
local in_304 = {["cache-control"] = true, ["content-location"] = true, date = true, etag = true, expires = true, vary = true}

local function answer(request, kept, settings)
  local is_304 = kept.status == "200" and is_not_modified(kept, request:headers())
  local fields = {[":status"] = is_304 and "304" or kept.status, age = tostring(math.floor(kept.age))}
  for _, field in ipairs(kept.headers) do
    local name, value = field[1], field[2]
    if not is_304 or in_304[name] then
      fields[name] = fields[name] or {}
      table.insert(fields[name], value)
    end
  end
  if settings.status then fields["cache-status"] = ("weft; hit; ttl=%d"):format(math.floor(kept.lifetime - kept.age)) end
  request:respond(fields, is_304 and "" or kept.body)
end

function on_request(request)
  local settings = request:settings()
  local headers = request:headers()
  local method = headers:get(":method")
  local metadata = request:streamInfo():dynamicMetadata()
  local url = url_of(headers)
  if not safe[method] then return metadata:set("response-cache", "changes", url) end
  -- Parts of a response are neither kept nor made here.
  if (method ~= "GET" and method ~= "HEAD") or headers:get("range") then return end
  if settings.cookies == "bypass" and headers:get("cookie") then
    return metadata:set("response-cache", "status", "bypass")
  end

  local control = directives.parse(headers:get("cache-control") or headers:get("pragma"))
  local kept = store.get(url, headers)
  if kept and satisfies(kept, control) then answer(request, kept, settings) end
  -- RFC 9111 5.2.1.7.
  if control["only-if-cached"] then
    request:respond({[":status"] = "504", ["content-type"] = "text/plain"}, "not in the cache\n")
  end
  metadata:set("response-cache", "status", kept and "request" or "uri-miss")
  if method == "GET" and not control["no-store"] then metadata:set("response-cache", "url", url) end
end

-- Responses

-- Whether a shared cache may keep the response (RFC 9111 3, 3.5).
local function may_keep(headers, control, request_headers)
  if not cacheable[headers:get(":status")] then return false end
  if control["no-store"] or control["private"] or control["no-cache"] then return false end
  -- Not forbidden by the RFC, but giving one client's cookie to another is never what was meant.
  if headers:get("set-cookie") or headers:get("content-range") then return false end
  if not request_headers:get("authorization") then return true end
  return (control["public"] or control["s-maxage"] or control["must-revalidate"]) ~= nil
end

-- The names in Vary, in order; nil when the response is for this request only.
local function vary_of(headers)
  local names = {}
  for name in (headers:get("vary") or ""):lower():gmatch("[^,%s]+") do
    if name == "*" then return nil end
    names[#names + 1] = name
  end
  table.sort(names)
  return table.concat(names, ",")
end

-- How long to keep the response, and how old it is already (RFC 9111 4.2.3), in seconds; nil for not at all.
local function lifetime_of(headers, control, settings)
  local lifetime = directives.lifetime(headers, control)
  if not lifetime then lifetime = headers:get(":status") == "200" and settings.defaultTtl or 0 end
  local made = weft.time.parse_http_date(headers:get("date") or "")
  local age = math.max(directives.seconds(headers:get("age")), made and math.floor(weft.time.now()) - made or 0)
  lifetime = math.min(lifetime, settings.maxTtl + age)
  if lifetime > age then return lifetime, age end
end

local function fields_of(headers)
  local fields = {}
  for name, value in pairs(headers) do
    if name:sub(1, 1) ~= ":" and not not_kept[name] then fields[#fields + 1] = {name, value} end
  end
  -- A cache that gets a response without Date adds it (RFC 9110 6.6.1).
  if not headers:get("date") then fields[#fields + 1] = {"date", weft.time.http_date()} end
  return fields
end

function on_response(response)
  local settings = response:settings()
  local headers = response:headers()
  local state = response:streamInfo():dynamicMetadata():get("response-cache")
  if not state then return end
  -- RFC 9111 4.4: what has been changed is no longer what is kept.
  if state.changes then
    if headers:get(":status"):find("^[23]") then store.forget(state.changes) end
    return
  end
  if settings.status then headers:add("cache-status", "weft; fwd=" .. state.status) end
  if not state.url then return end

  local control = directives.parse(headers:get("cache-control"))
  local request_headers = response:requestHeaders()
  local vary = vary_of(headers)
  local lifetime, age = lifetime_of(headers, control, settings)
  local announced = tonumber(headers:get("content-length"))
  if not lifetime or not vary or not may_keep(headers, control, request_headers) then return end
  if announced and announced > settings.maxBody then return end
  local kept = {status = headers:get(":status"), headers = fields_of(headers), made = weft.time.now() - age, lifetime = lifetime}

  -- Piece by piece, so that the client gets them as they come. A response that breaks off never ends here, and is not kept.
  local pieces, length = {}, 0
  for chunk in response:bodyChunks() do
    length = length + chunk:length()
    if length > settings.maxBody then return end
    pieces[#pieces + 1] = chunk:getBytes(0, chunk:length())
  end
  store.set(state.url, vary, request_headers, kept, table.concat(pieces), lifetime - age)
end
