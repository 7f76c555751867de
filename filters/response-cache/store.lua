-- What is kept, in the shared dictionary. For each URL there is the list of headers that its responses vary with, and for each
-- combination of their values a response (RFC 9111 4.1).
local responses = weft.shared("responses")

local store = {}

local function variant(url, vary, headers)
  local parts = {url}
  for name in vary:gmatch("[^,]+") do parts[#parts + 1] = name .. "=" .. (headers:get(name) or "") end
  return "v:" .. weft.hash.sha256(table.concat(parts, "\n"), "base64url")
end

local function entry_of(url) return "u:" .. weft.hash.sha256(url, "base64url") end

-- The response for a request with these headers: {status =, headers = {{name, value}, ...}, body =, age =, lifetime =}; nil
-- when there is none.
function store.get(url, headers)
  local vary = responses:get(entry_of(url))
  local packed = vary and responses:get(variant(url, vary, headers))
  if not packed then return nil end
  local head, body = string.unpack("<s4s4", packed)
  local kept = weft.json.decode(head)
  kept.body = body
  kept.age = math.max(0, weft.time.now() - kept.made)
  return kept.age < kept.lifetime and kept or nil
end

-- Keeps a response for so many seconds. What does not fit is left out.
function store.set(url, vary, request_headers, kept, body, seconds)
  -- nil: a header that is not UTF-8. Such a response is not worth the trouble.
  local head = weft.json.encode(kept)
  if not head then return end
  responses:set(entry_of(url), vary, seconds)
  responses:set(variant(url, vary, request_headers), string.pack("<s4s4", head, body), seconds)
end

-- Forgets all responses for a URL.
function store.forget(url) responses:delete(entry_of(url)) end

return store
