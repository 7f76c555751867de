local places = {
  {tag = "office", ranges = {"192.0.2.7"}},
  {tag = "eu", ranges = {"192.0.2.0/24", "2001:db8:1::/48"}},
  {tag = "us", ranges = {"198.51.100.0/24"}},
}

describe("by the table", function()
  before_each(function() settings{places = places} end)

  test("the place is where the client's address is", function()
    assert_header(request{client = "192.0.2.9"}.upstream, "x-geo", "eu")
    assert_header(request{client = "[2001:db8:1::7]:4000"}.upstream, "x-geo", "eu")
    assert_header(request{client = "198.51.100.1"}.upstream, "x-geo", "us")
  end)

  test("the first place that holds the address counts", function()
    assert_header(request{client = "192.0.2.7"}.upstream, "x-geo", "office")
  end)

  test("what a client says is replaced, or removed when its place is not known", function()
    local headers = {["x-geo"] = "eu"}
    assert_header(request{client = "198.51.100.1", headers = headers}.upstream, "x-geo", "us")
    assert_header(request{client = "203.0.113.1", headers = headers}.upstream, "x-geo", false)
  end)

  test("later filters find it in the metadata", function()
    assert_equal(request{client = "198.51.100.1"}.metadata["geo-tag"], {place = "us"})
    assert_nil(request{client = "203.0.113.1"}.metadata["geo-tag"])
  end)
end)

describe("by the CDN's header", function()
  local cdn = {header = "cf-ipcountry", trusted = {"203.0.113.0/24"}}
  before_each(function() settings{cdn = cdn, places = places} end)

  test("the CDN is believed, before the table", function()
    local headers = {["cf-ipcountry"] = "DE"}
    assert_header(request{client = "203.0.113.5", headers = headers}.upstream, "x-geo", "DE")
    settings{cdn = cdn, places = {{tag = "cdn", ranges = {"203.0.113.0/24"}}}}
    assert_header(request{client = "203.0.113.5", headers = headers}.upstream, "x-geo", "DE")
  end)

  test("others are not, and their header is removed", function()
    local seen = request{client = "198.51.100.1", headers = {["cf-ipcountry"] = "DE"}}.upstream
    assert_header(seen, "x-geo", "us")
    assert_header(seen, "cf-ipcountry", false)
  end)

  test("a value that names no place, or is none, leaves it to the table", function()
    settings{cdn = cdn, places = {{tag = "near", ranges = {"203.0.113.0/24"}}}}
    for _, value in ipairs{"XX", "t1", "", "D E", ("x"):rep(33), "a,b"} do
      assert_header(request{client = "203.0.113.5", headers = {["cf-ipcountry"] = value}}.upstream, "x-geo", "near")
    end
    assert_header(request{client = "203.0.113.5"}.upstream, "x-geo", "near")
  end)
end)

test("header and default are settings", function()
  settings{places = places, header = "x-country", default = "unknown"}
  local seen = request{client = "203.0.113.1"}.upstream
  assert_header(seen, "x-country", "unknown")
  assert_header(seen, "x-geo", false)
end)

test("settings that cannot work are refused", function()
  local function refused(given, why) assert_error(function() settings(given) end, why) end
  refused({}, "nothing says where clients are")
  refused({places = {{tag = "eu", ranges = {"192.0.2.0/33"}}}}, 'settings.places[0].ranges[0]: "192.0.2.0/33" is no address')
  refused({cdn = {header = "cf-ipcountry"}}, "settings.cdn.trusted: list the CDN's addresses")
  refused({cdn = {header = "cf-ipcountry", trusted = {"cdn.example"}}}, 'settings.cdn.trusted[0]: "cdn.example" is no address')
  refused({places = {{tag = "two words", ranges = {"192.0.2.1"}}}}, "settings.places[0].tag")
end)
