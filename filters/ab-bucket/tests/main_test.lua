before_each(function()
  settings{buckets = {{name = "control", weight = 3}, {name = "new"}}}
end)

test("a new client is put into a bucket, and gets a cookie", function()
  local res = request{}
  local bucket = res.upstream.headers["x-bucket"]
  assert_true(bucket == "control" or bucket == "new")
  assert_header(res, "set-cookie", "ab=" .. bucket .. "; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax")
end)

test("a client stays in its bucket, without another cookie", function()
  for _, bucket in ipairs{"control", "new"} do
    local res = request{headers = {cookie = "sid=1; ab=" .. bucket}}
    assert_header(res.upstream, "x-bucket", bucket)
    assert_header(res, "set-cookie", false)
  end
end)

test("a bucket that is not there is replaced by one that is", function()
  local res = request{headers = {cookie = "ab=gone", ["x-bucket"] = "gone"}}
  assert_not_equal(res.upstream.headers["x-bucket"], "gone")
  assert_match(res.headers["set-cookie"], "^ab=%a+;")
end)

test("shares follow the weights", function()
  local count = {control = 0, new = 0}
  for _ = 1, 400 do
    local bucket = request{}.upstream.headers["x-bucket"]
    count[bucket] = count[bucket] + 1
  end
  -- 300 and 100 are expected; twelve standard deviations apart from either.
  assert_true(count.control > 200 and count.new > 20, "control " .. count.control .. ", new " .. count.new)
end)

test("a bucket of weight 0 gets nobody new", function()
  settings{buckets = {{name = "control", weight = 0}, {name = "new"}}}
  for _ = 1, 20 do assert_header(request{}.upstream, "x-bucket", "new") end
  assert_header(request{headers = {cookie = "ab=control"}}.upstream, "x-bucket", "control")
end)

test("a header decides the same way each time", function()
  settings{buckets = {{name = "a"}, {name = "b"}}, by = "x-user"}
  local seen = {}
  for user = 1, 20 do
    local headers = {["x-user"] = "user-" .. user}
    local bucket = request{headers = headers}.upstream.headers["x-bucket"]
    assert_header(request{headers = headers}.upstream, "x-bucket", bucket)
    seen[bucket] = true
  end
  assert_equal(seen, {a = true, b = true})
end)

test("the cookie is Secure over TLS", function()
  assert_contains(request{tls = true}.headers["set-cookie"], "; Secure;")
end)

test("a cookie that needs TLS is given over TLS only", function()
  settings{buckets = {{name = "a"}}, cookie = "__Host-ab"}
  assert_header(request{}, "set-cookie", false)
  assert_match(request{tls = true}.headers["set-cookie"], "^__Host%-ab=a; ")
end)

test("settings that cannot work are refused", function()
  local function refused(given, why) assert_error(function() settings(given) end, why) end
  refused({buckets = {{name = "a"}, {name = "a"}}}, 'settings.buckets[1].name: there is a bucket "a" already')
  refused({buckets = {{name = "a", weight = 0}}}, "settings.buckets: no bucket has a weight")
  refused({buckets = {{name = "a"}}, cookie = "__Host-ab", path = "/x"}, "settings.path: ")
end)
