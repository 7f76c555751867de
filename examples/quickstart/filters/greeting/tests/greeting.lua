test("every response is greeted", function()
  assert_true(request{}.headers["x-greeting"])
end)
