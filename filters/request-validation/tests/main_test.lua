local function post(body, content_type)
  return request{method = "POST", headers = {["content-type"] = content_type or "application/json"}, body = body}
end

-- The pointers that the body's mistakes are at, in order.
local function mistakes(schema, body)
  settings{schema = schema}
  local res = post(body)
  if res.status == 200 then return {} end
  assert_equal(res.status, 422)
  assert_header(res, "content-type", "application/problem+json")
  local found = {}
  for i, one in ipairs(weft.json.decode(res.body).errors) do found[i] = one.pointer end
  table.sort(found)
  return found
end

local order = {
  type = "object",
  required = {"item", "count"},
  additionalProperties = false,
  properties = {
    item = {type = "string", minLength = 1, pattern = "^[a-z-]+$"},
    count = {type = "integer", minimum = 1, maximum = 99},
    tags = {type = "array", items = {type = "string"}, maxItems = 2, uniqueItems = true},
    gift = {type = {"boolean", "null"}},
  },
}

test("a body that fits goes on as it is", function()
  settings{schema = order}
  local body = '{"item": "tea-pot", "count": 2.0, "tags": [], "gift": null}'
  local res = post(body)
  assert_equal(res.status, 200)
  assert_equal(res.upstream.body, body)
end)

test("mistakes are named by their places", function()
  assert_equal(mistakes(order, '{"item": "Tea", "count": 0, "tags": ["a", 1, "a"], "gift": 1, "x/y": 1}'),
    {"/count", "/gift", "/item", "/tags", "/tags/1", "/tags/2", "/x~1y"})
  assert_equal(mistakes(order, '{}'), {"/count", "/item"})
  assert_equal(mistakes(order, '[]'), {""})
  assert_equal(mistakes(order, '{"item": "a", "count": 1.5}'), {"/count"})
end)

for name, case in pairs{
  ["enum"] = {{enum = {"a", 1, {b = {2}}}}, {'"a"', '1', '1.0', '{"b":[2]}'}, {'"b"', '2', '{"b":[3]}', 'null'}},
  ["const"] = {{const = {1, 2}}, {'[1,2]'}, {'[2,1]', '{}'}},
  ["exclusive bounds"] = {{exclusiveMinimum = 0, exclusiveMaximum = 1}, {'0.5', '"x"'}, {'0', '1'}},
  ["multipleOf"] = {{multipleOf = 5}, {'10', '0'}, {'7'}},
  ["lengths in characters"] = {{minLength = 2, maxLength = 3}, {'"äö"', '"\\u00e4bc"'}, {'"ä"', '"abcd"'}},
  ["numbers of fields"] = {{minProperties = 1, maxProperties = 1}, {'{"a":1}', '[]'}, {'{}', '{"a":1,"b":2}'}},
  ["numbers of elements"] = {{minItems = 1, maxItems = 2}, {'[1]', '{}'}, {'[]', '[1,2,3]'}},
  ["additionalProperties with a schema"] = {{additionalProperties = {type = "integer"}}, {'{"a":1}'}, {'{"a":"1"}'}},
  ["allOf"] = {{allOf = {{minimum = 1}, {maximum = 3}}}, {'2'}, {'4'}},
  ["anyOf"] = {{anyOf = {{type = "string"}, {minimum = 3}}}, {'"a"', '4'}, {'1'}},
  ["oneOf"] = {{oneOf = {{type = "number"}, {type = "integer"}}}, {'1.5'}, {'1', '"a"'}},
  ["not"] = {{["not"] = {type = "array"}}, {'{}', '1'}, {'[]'}},
  ["null"] = {{type = "null"}, {'null'}, {'false', '0', '{}'}},
} do
  test(name, function()
    for _, body in ipairs(case[2]) do assert_equal(mistakes(case[1], body), {}, body) end
    for _, body in ipairs(case[3]) do assert_not_equal(mistakes(case[1], body), {}, body) end
  end)
end

test("what is no JSON is refused before it is checked", function()
  settings{schema = {}}
  assert_equal(post('{"a":').status, 400)
  assert_equal(post('').status, 400)
  assert_equal(post('{"a":1,"a":2}').status, 400)
  assert_equal(post('{}', "text/plain").status, 415)
  assert_equal(post('{}', "application/vnd.api+json; charset=utf-8").status, 200)
  assert_equal(request{method = "POST", body = "{}"}.status, 415)
  local headers = {["content-type"] = "application/json", ["content-encoding"] = "gzip"}
  assert_equal(request{method = "POST", headers = headers, body = "{}"}.status, 415)
end)

test("other methods are not looked at", function()
  settings{schema = order}
  assert_equal(request{method = "GET"}.status, 200)
  assert_equal(request{method = "DELETE", body = "x"}.status, 200)
end)

test("an answer lists so many mistakes and no more", function()
  settings{schema = {items = {type = "string"}}, maxErrors = 3}
  assert_equal(#weft.json.decode(post("[1,2,3,4,5]").body).errors, 3)
end)

test("settings that cannot work are refused", function()
  local function refused(given, why) assert_error(function() settings(given) end, why) end
  refused({schema = {type = "object", ["$ref"] = "#/x"}}, 'settings.schema: the keyword "$ref" is not supported')
  refused({schema = {type = "text"}}, 'settings.schema: there is no type "text"')
  refused({schema = {properties = {a = {pattern = "("}}}}, "settings.schema: no regular expression")
end)
