local function post(body, content_type)
  return request{method = "POST", headers = {["content-type"] = content_type or "application/x-www-form-urlencoded"}, body = body}
end

local function rule(res) return res.metadata.waf and res.metadata.waf.rule end

describe("attacks in the query", function()
  for query, name in pairs{
    ["id=1%20UNION%20SELECT%20password%20FROM%20users"] = "sql-injection",
    ["id=1+union/**/all+select+1"] = "sql-injection",
    ["name=%27%20or%20%271%27=%271"] = "sql-injection",
    ["id=1;DROP%20TABLE%20users"] = "sql-injection",
    ["id=1-sleep(5)"] = "sql-injection",
    ["q=%3Cscript%3Ealert(1)%3C/script%3E"] = "cross-site-scripting",
    ["q=%253Cscript%253E"] = "cross-site-scripting",
    ["q=%3Cimg%20src=x%20onerror=alert(1)%3E"] = "cross-site-scripting",
    ["file=../../etc/hosts"] = "path-traversal",
    ["file=..%5c..%5cboot"] = "path-traversal",
    ["file=/etc/passwd"] = "path-traversal",
    ["host=a;cat+/tmp/x"] = "command-injection",
    ["host=$(whoami)"] = "command-injection",
    ["x=${jndi:ldap://a}"] = "expression-injection",
    ["x=%00"] = "nul-byte",
  } do
    test(query, function()
      local res = request{path = "/search?" .. query}
      assert_equal(res.status, 403)
      assert_equal(rule(res), name)
      assert_nil(res.upstream)
    end)
  end
end)

describe("honest requests go on:", function()
  for _, query in ipairs{
    "q=union+membership+and+selection", "q=O'Reilly+or+others", "q=rock+%26+roll;+jazz", "q=a<b+and+b>c", "q=50%25+off",
    "next=/a/b..c/d", "q=select+a+table", "q=how+to+drop+a+table+lamp", "date=2024-05-01T10:00:00%2B02:00",
    "q=the+cat+sat;+the+dog+sat", "email=a.b%2Bc@d.example", "q=sleep+8+hours", "q=JavaScript+books",
  } do
    test(query, function() assert_equal(request{path = "/search?" .. query}.status, 200) end)
  end
end)

test("paths", function()
  assert_equal(rule(request{path = "/.git/config"}), "server-files")
  assert_equal(rule(request{path = "/a/%252e%252e/b"}), "path-traversal")
  assert_equal(request{path = "/about/git"}.status, 200)
  assert_equal(request{path = "/.well-known/acme-challenge/x"}.status, 200)
end)

test("headers", function()
  assert_equal(request{headers = {["user-agent"] = "${jndi:ldap://x/a}"}}.status, 403)
  assert_equal(request{headers = {cookie = "a=<script>"}}.status, 403)
  assert_equal(request{headers = {["user-agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:125.0)"}}.status, 200)
end)

test("forms, JSON and XML in bodies", function()
  assert_equal(post("comment=%3Cscript%3E").status, 403)
  assert_equal(post('{"a":["\\u003cscript>"]}', "application/json").status, 403)
  assert_equal(post('{"a":{"x\' or \'1\'=\'1":1}}', "application/json").status, 403)
  assert_equal(post('{"broken <script>', "application/json").status, 403)
  assert_equal(post('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hosts">]><a>&x;</a>', "application/xml").status, 403)
  local res = post("comment=fine+words", "application/x-www-form-urlencoded")
  assert_equal(res.upstream.body, "comment=fine+words")
  assert_equal(post("<script>", "image/png").status, 200)
end)

test("bodies may be left alone", function()
  settings{body = false}
  assert_equal(post("comment=%3Cscript%3E").status, 200)
end)

test("in log mode requests go on, and the log says what was found", function()
  settings{mode = "log"}
  local res = request{path = "/?q=%3Cscript%3E"}
  assert_equal(res.status, 200)
  assert_equal(logs("warn")[1].message, "rule cross-site-scripting found something in the query")
end)

test("rules are switched off, and added", function()
  settings{disable = {"cross-site-scripting"}, rules = {{name = "no-debug", pattern = [[\bdebug=1\b]], targets = {"query"}}}}
  assert_equal(request{path = "/?q=%3Cscript%3E"}.status, 200)
  assert_equal(rule(request{path = "/?debug=1"}), "no-debug")
end)

test("settings that cannot work are refused", function()
  local function refused(given, why) assert_error(function() settings(given) end, why) end
  local rule = {name = "mine", pattern = "x("}
  refused({rules = {rule}}, "settings.rules[0].pattern: is no regular expression: ")
  refused({rules = {{name = "sql-injection", pattern = "x"}}}, 'settings.rules[0].name: there is a rule "sql-injection" already')
  refused({disable = {"sql-injektion"}}, 'settings.disable[0]: there is no rule "sql-injektion"')
end)
