-- Answers after a while, and counts.
local asked
local function slow(answer)
  asked = 0
  upstream(function()
    asked = asked + 1
    local this = {delay = 100, body = "answer " .. asked, headers = {["x-number"] = tostring(asked)}}
    for name, value in pairs(answer or {}) do this[name] = value end
    return this
  end)
end

local function both(first, second)
  local results = requests{first, second or first}
  return results[1], results[2]
end

test("equal requests are sent once, and all get the answer", function()
  slow()
  local results = requests{{path = "/a"}, {path = "/a"}, {path = "/a"}, {path = "/a"}}
  assert_equal(asked, 1)
  for _, res in ipairs(results) do
    assert_equal(res.status, 200)
    assert_equal(res.body, "answer 1")
    assert_header(res, "x-number", "1")
  end
  assert_nil(results[2].upstream)
end)

test("a later one is sent again", function()
  slow()
  request{path = "/a"}
  assert_equal(request{path = "/a"}.body, "answer 2")
end)

test("requests that differ are sent each for itself", function()
  for _, other in ipairs{
    {path = "/b"}, {path = "/a", host = "other.example"}, {path = "/a", headers = {cookie = "sid=1"}},
    {path = "/a", headers = {authorization = "Bearer x"}}, {path = "/a", method = "POST"}, {path = "/a", tls = true},
  } do
    slow()
    both({path = "/a"}, other)
    assert_equal(asked, 2)
  end
end)

test("what changes something is never shared", function()
  slow()
  both{path = "/a", method = "POST", body = "x"}
  assert_equal(asked, 2)
end)

test("answers that are for one client are not shared, and nobody waits in line for them", function()
  for _, headers in ipairs{{["set-cookie"] = "sid=1"}, {["cache-control"] = "no-store"}, {vary = "x-user"}, {vary = "*"}} do
    slow{headers = headers}
    local before = clock.now()
    local results = requests{{path = "/a"}, {path = "/a"}, {path = "/a"}}
    assert_equal(asked, 3)
    assert_equal(#results, 3)
    assert_true(clock.now() - before < 0.25, "they went one after the other")
  end
end)

test("an answer that varies with what is compared is shared", function()
  slow{headers = {vary = "Accept-Encoding, cookie"}}
  both{path = "/a"}
  assert_equal(asked, 1)
end)

test("an answer that is too long is not shared", function()
  settings{maxBody = 10}
  slow{body = {"123456", "789012"}, chunked = true}
  local first, second = both{path = "/a"}
  assert_equal(asked, 2)
  assert_equal(first.body, "123456789012")
  assert_equal(second.body, "123456789012")
end)

test("when the first client goes away, another request goes", function()
  slow()
  local first, second = start{path = "/a"}, start{path = "/a"}
  clock.advance(0.05)
  first:cancel()
  assert_equal(second:wait().body, "answer 2")
end)

test("nobody waits for ever", function()
  settings{wait = 20}
  slow()
  local first, second = both{path = "/a"}
  assert_equal(asked, 2)
  assert_equal(first.body .. second.body, "answer 1answer 2")
end)
