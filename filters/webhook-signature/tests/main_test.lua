local body = '{"action":"opened"}'

local function hmac(secret, text, format) return weft.hash.hmac_sha256(secret, text, format) end

local function status(headers, text)
  return request{method = "POST", path = "/hook", headers = headers, body = text or body}.status
end

describe("GitHub", function()
  before_each(function() settings{secrets = {"It's a Secret to Everybody"}} end)

  -- The example of GitHub's documentation.
  local example = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

  test("a signed request goes on with its body", function()
    local res = request{method = "POST", headers = {["x-hub-signature-256"] = example}, body = "Hello, World!"}
    assert_equal(res.status, 200)
    assert_equal(res.upstream.body, "Hello, World!")
  end)

  test("another body, another signature, and none are refused", function()
    assert_equal(status({["x-hub-signature-256"] = example}, "Hello, World?"), 403)
    assert_equal(status({["x-hub-signature-256"] = example:gsub("7", "8")}, "Hello, World!"), 403)
    assert_equal(status({["x-hub-signature-256"] = example:sub(1, -2)}, "Hello, World!"), 403)
    assert_equal(status({["x-hub-signature-256"] = "sha256="}, "Hello, World!"), 403)
    assert_equal(status({}, "Hello, World!"), 403)
    assert_nil(request{method = "POST", body = body}.upstream)
  end)

  test("both secrets are valid while one is being changed", function()
    settings{secrets = {"the-new-one", "the-old-one"}}
    for _, secret in ipairs{"the-new-one", "the-old-one"} do
      assert_equal(status{["x-hub-signature-256"] = "sha256=" .. hmac(secret, body)}, 200)
    end
    assert_equal(status{["x-hub-signature-256"] = "sha256=" .. hmac("another-one", body)}, 403)
  end)

  test("a request without a body is signed as well", function()
    local headers = {["x-hub-signature-256"] = "sha256=" .. hmac("It's a Secret to Everybody", "")}
    assert_equal(request{method = "POST", headers = headers}.status, 200)
  end)
end)

describe("Stripe", function()
  local secret = "whsec_example"
  before_each(function() settings{scheme = "stripe", secrets = {secret}} end)

  local function header(time, signature)
    time = tostring(math.floor(time))
    return {["stripe-signature"] = ("t=%s,v1=%s,v0=00"):format(time, signature or hmac(secret, time .. "." .. body))}
  end

  test("a signature of now is right, a few minutes either way too", function()
    assert_equal(status(header(clock.now())), 200)
    assert_equal(status(header(clock.now() - 299)), 200)
    assert_equal(status(header(clock.now() + 299)), 200)
  end)

  test("an old one is not, nor one from the future", function()
    assert_equal(status(header(clock.now() - 301)), 403)
    assert_equal(status(header(clock.now() + 301)), 403)
  end)

  test("one of several signatures is enough", function()
    local time = tostring(math.floor(clock.now()))
    local value = ("t=%s,v1=%s,v1=%s"):format(time, ("0"):rep(64), hmac(secret, time .. "." .. body))
    assert_equal(status{["stripe-signature"] = value}, 200)
  end)

  test("a changed time breaks the signature", function()
    local good = hmac(secret, math.floor(clock.now()) .. "." .. body)
    assert_equal(status(header(clock.now() + 1, good)), 403)
    assert_equal(status{["stripe-signature"] = "v1=" .. good}, 403)
  end)
end)

test("Slack", function()
  settings{scheme = "slack", secrets = {"8f742231b10e"}, tolerance = 60}
  local time = tostring(math.floor(clock.now()))
  local signature = "v0=" .. hmac("8f742231b10e", "v0:" .. time .. ":" .. body)
  assert_equal(status{["x-slack-request-timestamp"] = time, ["x-slack-signature"] = signature}, 200)
  assert_equal(status{["x-slack-request-timestamp"] = time + 1, ["x-slack-signature"] = signature}, 403)
  clock.advance(61)
  assert_equal(status{["x-slack-request-timestamp"] = time, ["x-slack-signature"] = signature}, 403)
end)

test("Standard Webhooks", function()
  settings{scheme = "standard", secrets = {"whsec_" .. weft.base64.encode("a-key-of-bytes")}}
  local time = tostring(math.floor(clock.now()))
  local signature = hmac("a-key-of-bytes", "msg_1." .. time .. "." .. body, "base64")
  local headers = {["webhook-id"] = "msg_1", ["webhook-timestamp"] = time, ["webhook-signature"] = "v1,AAAA v1," .. signature}
  assert_equal(status(headers), 200)
  headers["webhook-id"] = "msg_2"
  assert_equal(status(headers), 403)
end)

test("a refusal is logged with its reason, which the sender is not told", function()
  settings{secrets = {"a-secret"}}
  local res = request{method = "POST", body = body}
  assert_equal(res.body, "the signature is not valid\n")
  assert_contains(logs("info")[1].message, "no signature")
end)

test("settings that cannot work are refused", function()
  local function refused(given, why) assert_error(function() settings(given) end, why) end
  refused({scheme = "standard", secrets = {"whsec_a b c"}}, "settings.secrets[0]: a secret that begins with whsec_ goes on in base64")
end)
