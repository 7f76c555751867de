-- What LuaJIT has and Lua 5.4 has not.
--> GET /
function envoy_on_request(handle)
  handle:logInfo(table.concat({unpack({"a", "b"})}, "+"))
  handle:logInfo(tostring(math.pow(2, 3) == 8) .. " " .. tostring(table.getn and table.getn({1, 2})))
  handle:logInfo(tostring(loadstring("return 1 + 1")()))
  handle:logInfo(tostring(bit.band(12, 10)) .. " " .. bit.tohex(255) .. " " .. tostring(bit.lshift(1, 4)))
  handle:logInfo(string.format("%d", 3.0) .. " " .. #"x" .. " " .. tostring(2 ^ 10 == 1024))
  handle:logInfo(tostring(table.maxn({1, 2, 3})) .. " " .. tostring(math.mod == nil))
  handle:logInfo(tostring(bit.bxor(5, 3)) .. " " .. tostring(bit.bnot(0)) .. " " .. tostring(bit.rshift(-1, 28)))
  handle:logInfo(tostring(bit.bor(1, 2, 4)) .. " " .. tostring(bit.arshift(-8, 1)) .. " " .. tostring(bit.rol(1, 31)))
  handle:logInfo(tostring(bit.tobit(0xffffffff)) .. " " .. bit.tohex(0xabcd, -4) .. " " .. tostring(bit.bswap(1)))
end
