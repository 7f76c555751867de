local function by(consumer, path) return request{path = path, headers = {["x-consumer"] = consumer}} end

before_each(function()
  clock.set("2024-05-01T10:59:00Z")
  settings{windows = {{requests = 3, per = "minute"}, {requests = 5, per = "hour"}}}
end)

test("so many requests pass, and the next one is refused", function()
  for left = 2, 0, -1 do
    local res = by("ann")
    assert_equal(res.status, 200)
    assert_header(res, "ratelimit-policy", '"minute";q=3;w=60')
    assert_header(res, "ratelimit", ('"minute";r=%d;t=60'):format(left))
  end
  local res = by("ann")
  assert_equal(res.status, 429)
  assert_header(res, "retry-after", "60")
  assert_header(res, "ratelimit", '"minute";r=0;t=60')
  assert_nil(res.upstream)
end)

test("consumers are counted for themselves", function()
  for _ = 1, 3 do by("ann") end
  assert_equal(by("ann").status, 429)
  assert_equal(by("bob").status, 200)
end)

test("a new window begins at the full minute, and the longer one goes on", function()
  settings{windows = {{requests = 3, per = "minute"}, {requests = 5, per = "day"}}}
  for _ = 1, 3 do by("ann") end
  assert_equal(by("ann").status, 429)
  clock.advance(60)
  for _ = 1, 2 do assert_equal(by("ann").status, 200) end
  local res = by("ann")
  assert_equal(res.status, 429)
  assert_header(res, "ratelimit-policy", '"day";q=5;w=86400')
  assert_header(res, "retry-after", tostring(13 * 3600))
end)

test("what is refused uses nothing up", function()
  settings{windows = {{requests = 2, per = "minute"}, {requests = 4, per = "day"}}}
  for _ = 1, 10 do by("ann") end
  clock.advance(60)
  assert_equal(by("ann").status, 200)
  assert_equal(by("ann").status, 200)
  clock.advance(60)
  assert_equal(by("ann").status, 429)
end)

test("a consumer may have windows of its own", function()
  settings{windows = {{requests = 1, per = "minute"}}, consumers = {ann = {{requests = 2, per = "minute"}}}}
  for _ = 1, 2 do assert_equal(by("ann").status, 200) end
  assert_equal(by("ann").status, 429)
  assert_equal(by("bob").status, 200)
  assert_equal(by("bob").status, 429)
end)

test("who is nobody is refused, or counted by address", function()
  assert_equal(request{}.status, 403)
  settings{windows = {{requests = 1, per = "minute"}}, missing = "address", consumers = {["10.0.0.1"] = {{requests = 9, per = "day"}}}}
  assert_equal(request{client = "10.0.0.1:4000"}.status, 200)
  assert_equal(request{client = "10.0.0.1:4001"}.status, 429)
  assert_equal(request{client = "10.0.0.2"}.status, 200)
end)

test("nothing at all may be allowed", function()
  settings{windows = {{requests = 0, per = "day"}}}
  assert_equal(by("ann").status, 429)
end)

test("names keep quotas apart", function()
  settings{name = "a", windows = {{requests = 1, per = "minute"}}}
  assert_equal(by("ann").status, 200)
  assert_equal(by("ann").status, 429)
  settings{name = "b", windows = {{requests = 1, per = "minute"}}}
  assert_equal(by("ann").status, 200)
end)

test("settings that cannot work are refused", function()
  local function refused(given, why) assert_error(function() settings(given) end, why) end
  local twice = {{requests = 1, per = "day"}, {requests = 2, per = "day"}}
  refused({windows = twice}, "settings.windows[1]: there is a window per day already")
  refused({windows = {{requests = 1, per = "day"}}, consumers = {ann = twice}}, "settings.consumers.ann[1]: there is a window per day")
end)
