-- How senders sign. Each reads a request's headers and returns: the signed text before the body, the signatures that it
-- came with, and the signed time, if there is one; nothing when the headers are not there. `format` is that of the
-- signatures, `key` makes a secret into a key.
local schemes = {}

local function same(secret) return secret end

local function all(text, pattern)
  local found = {}
  for match in text:gmatch(pattern) do
    -- Senders give two signatures while a secret is being changed; nobody needs many.
    if #found < 8 then found[#found + 1] = match end
  end
  return found
end

-- https://docs.github.com/webhooks: X-Hub-Signature-256: sha256=HEX, over the body.
schemes.github = {format = "hex", key = same, read = function(headers)
  return "", {(headers:get("x-hub-signature-256") or ""):match("^sha256=(%x+)$")}
end}

-- https://docs.stripe.com/webhooks: Stripe-Signature: t=SECONDS,v1=HEX,..., over "SECONDS.BODY".
schemes.stripe = {format = "hex", key = same, read = function(headers)
  local value = headers:get("stripe-signature")
  local time = value and ("," .. value):match(",t=(%d+)")
  if not time then return nil end
  return time .. ".", all("," .. value, ",v1=(%x+)"), time
end}

-- https://api.slack.com/authentication/verifying-requests-from-slack: X-Slack-Signature: v0=HEX, over "v0:SECONDS:BODY".
schemes.slack = {format = "hex", key = same, read = function(headers)
  local time = (headers:get("x-slack-request-timestamp") or ""):match("^%d+$")
  if not time then return nil end
  return "v0:" .. time .. ":", {(headers:get("x-slack-signature") or ""):match("^v0=(%x+)$")}, time
end}

-- https://www.standardwebhooks.com: webhook-signature: "v1,BASE64 v1,BASE64", over "ID.SECONDS.BODY".
schemes.standard = {
  format = "base64",
  key = function(secret)
    local encoded = secret:match("^whsec_(.+)$")
    return encoded and assert(weft.base64.decode(encoded), "a secret that begins with whsec_ goes on in base64") or secret
  end,
  read = function(headers)
    local id = headers:get("webhook-id")
    local time = (headers:get("webhook-timestamp") or ""):match("^%d+$")
    if not id or not time then return nil end
    return id .. "." .. time .. ".", all(" " .. (headers:get("webhook-signature") or ""), " v1,([%w+/=]+)"), time
  end,
}

return schemes
