test("a response names the version", function()
  assert_true(request{}.headers["x-banner"]:match("^%d+%.%d+%.%d+$"))
end)
