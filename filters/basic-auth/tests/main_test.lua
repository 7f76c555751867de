-- Made with Python's hashlib; 1,000 iterations, so that the tests are quick.
local ann = "pbkdf2_sha256$1000$c2FsdHNhbHQ$BBvj7XFtABmFGsta82Q6tpRofhCpoDq0466+j3iKMAs="
local bob = "pbkdf2_sha256$1000$another-salt$IPSlvyv3XCLqCBS5O65vW18+LNisZ3wBwzkOAfK4XlY="

before_each(function()
  settings{users = {{name = "ann", password = ann}, {name = "bob", password = bob}}}
end)

local function login(text, scheme)
  return request{headers = {authorization = (scheme or "Basic") .. " " .. weft.base64.encode(text)}}
end

test("the right password lets a user in, whose name the service gets, and nothing else", function()
  for _, text in ipairs{"ann:open sesame", "bob:grün: ja"} do
    local res = login(text)
    assert_equal(res.status, 200)
    assert_header(res.upstream, "x-user", text:sub(1, 3))
    assert_header(res.upstream, "authorization", false)
  end
  assert_equal(login("ann:open sesame", "basic").status, 200)
end)

test("all else is asked for a password", function()
  for _, text in ipairs{"ann:open sesam", "ann:", "ann", ":open sesame", "bob:open sesame", "eve:open sesame", "stranger:", ""} do
    local res = login(text)
    assert_equal(res.status, 401, text)
    assert_header(res, "www-authenticate", 'Basic realm="restricted", charset="UTF-8"')
    assert_nil(res.upstream)
  end
  for _, value in ipairs{"Basic", "Basic !!!!", "Bearer " .. weft.base64.encode("ann:open sesame"), "Basic  ", "x"} do
    assert_equal(request{headers = {authorization = value}}.status, 401, value)
  end
  assert_equal(request{}.status, 401)
end)

test("nobody can claim to be somebody else", function()
  local headers = {authorization = "Basic " .. weft.base64.encode("ann:open sesame"), ["x-user"] = {"root", "bob"}}
  assert_equal(header_values(request{headers = headers}.upstream, "x-user"), {"ann"})
end)

test("a right password is remembered, and costs no attempt", function()
  settings{users = {{name = "ann", password = ann}}, attempts = 2}
  for _ = 1, 5 do assert_equal(login("ann:open sesame").status, 200) end
  assert_equal(login("ann:wrong").status, 401)
  local res = login("ann:wrong")
  assert_equal(res.status, 429)
  assert_header(res, "retry-after", "1")
  assert_equal(login("ann:open sesame").status, 200)
  clock.advance(1)
  assert_equal(login("ann:wrong").status, 401)
end)

test("it is forgotten after a time", function()
  settings{users = {{name = "ann", password = ann}}, attempts = 1, remember = 60}
  assert_equal(login("ann:open sesame").status, 200)
  assert_equal(login("ann:wrong").status, 429)
  clock.advance(59)
  assert_equal(login("ann:open sesame").status, 200)
  assert_equal(login("ann:wrong").status, 401)
  clock.advance(1)
  assert_equal(login("ann:wrong").status, 401)
  assert_equal(login("ann:open sesame").status, 429)
end)

test("a password in plain text is refused as a setting", function()
  assert_error(function() settings{users = {{name = "ann", password = "open sesame"}}} end, "password")
end)

test("settings that cannot work are refused", function()
  local function refused(given, why) assert_error(function() settings(given) end, why) end
  refused({users = {{name = "ann", password = ann}, {name = "ann", password = bob}}}, 'settings.users[1].name: the user "ann" is in')
  refused({users = {{name = "ann", password = (ann:gsub("1000", "50001"))}}}, "settings.users[0].password: has more than 50000 iterations")
end)
