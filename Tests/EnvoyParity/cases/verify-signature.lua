-- Signatures over "hello world" with keys that were made for this test.
--> GET /rsa
--> GET /ec
local function bytes(hex) return (hex:gsub("..", function(pair) return string.char(tonumber(pair, 16)) end)) end
local rsa_key = bytes(table.concat({
  "30820122300d06092a864886f70d01010105000382010f003082010a0282010100c1d6b88db82eca8565a9f98b2efbbd",
  "919d151bc4804254b91fb59c42223fc2375859aa73a173892b4264a9212ef6a45585265ce1aaa3e6042b4dafa23ce9ee",
  "fe379af9d5410a6600c35f7d0725f21520a4aca01bb710893d9f2229bcd39e8ad295c6c0d32d98db53282ca116848853",
  "9181bd91067683956c0f6f25b559d2ffebc23a9ab86f016a857e19a98072c25a5cc2c3a6dbe9a5ac5133556a5d640f82",
  "662898cac4a3737050d645173066093904f2a6ccf8b4be4040a48b1d2124a1216aec06ca3e540ed91a00455b1b2cdb13",
  "495d54571cc20389ab16aebc490373dd5c103911f15c7a4e926adf20eeaa85ee47185575c30a78b57cb3469aaef4e62e",
  "f50203010001",
}))
local rsa_sha1 = bytes(table.concat({
  "03695e7953c8762529ab8d3e80d6a3b4ca4c8bc51b7e47b6d40181dfd43143f9b9c287df0811fd6d2a9085ef0a8e4c00",
  "d46cddaab217f5e07ffbfd7abdc494c58eea168dccdcd89b4d504c0374088fa065212788c301b7a9966522df32342959",
  "4cf0ad4af2ae957eb02c510d616d357813f1a088b335cfe10ce7e0ede0547c419927210c56ca8db8cdd26b8b9e9b50b2",
  "3710e9e51e33a0a1a24ef86c27f6cb77a8eba77e5b7724ddf1b9cc406729c39f41761f08267fb23cd45f0edbcf4ba14d",
  "0067100171ae59938ad80c650aa3912a51d5dce689ba2ca15aaab04c494be88c8668bb2c55b9fcb1da83753d54d1d95c",
  "344ed11dc1c57226a14402b57b8da34a",
}))
local rsa_sha256 = bytes(table.concat({
  "5eae1f27af07cd9e2b331f580424e5a39abfebc97143bf2f420bf592f905a524ad6eb081b4d205c0dd9c5f9927b55283",
  "326497fa68c064dfd8cdbb4c55147504ee99405c5a1bbdf9d4d04be3c15b94103b3419bdd434b9939abd88af1c2594de",
  "d95c3f2b6a1cc4c0341474290453af182585826ef56e8f40c20b3bbceecb7e7940271bbabee99062a890b2ccb8310983",
  "29e8cbd983afd9703df0c0da5d43cecad629d9b0c5d3b1281eba4b8634426c8e16b8e76b1642cc5e7b329201e344163a",
  "456a4811ac55fb3c79b1c74d0194dea54b0be777e64f082b32b778b1b61323173d357d3e7aef99bf0e3c0c21149f7fa2",
  "b7087c9d2346d2f09409d5b4e6b53bb1",
}))
local rsa_sha512 = bytes(table.concat({
  "7903123710b7f69484ef535c10f18f6cd285129db2eee70ec4bb74240d852defb4f122b464f805fa67b3ae97c3e7f5b3",
  "2a1aa1fcbcd79102f4a079f52dffc86493eb52da762c2810135cc67585cdf2d9317ee2fb6fbe2b7a2d2960472b737b72",
  "8fa1d0223930c88f67b1d39a0e95711be9ca04ee6de8fb16dad6a699228b9106f26728927f651fd068f4698b8b7454b9",
  "76ffe831729850233f4e88a2b254731564004ffbc92e2e777b4e60e71614efdc69f55ce19e958d8a9219a93ee7e6c16f",
  "8ad243be4767c5c78dbbb25af33f0e42aa9c9f149fe88c531a2dbf4cf13d479e7662633639313f827b9a5870ed9d38f5",
  "b5f07f1d4bf4f977488a0701f4473fff",
}))
local ec_key = bytes(table.concat({
  "3059301306072a8648ce3d020106082a8648ce3d03010703420004ac4bdf175a24c6f2571c61572681ac17dbd272ae85",
  "eabd0545d5f02f6be40be1d3e967ec97555978284c3a7ec256195293cf2a6b8769eab8c511b46e0fb1e2d3",
}))
local ec_sha256 = bytes(table.concat({
  "3045022100dea1912258f97a213287ad4bee361ff1405eb6a4540b3bf6ead546e4e7ee946202205b778aee48b06c6cd2",
  "ea58a773e887494387b599d18491297d7d9d285c4a1cec",
}))
local ec_sha384 = bytes(table.concat({
  "3045022100bc59772afbce1808f2e43415ed45e8d523211a263bd30c9e1aaf9a01a7674c7c0220141d12889eee5abdf6",
  "a3113312c8c44cb7b843957fe933c287acdd424fee1f93",
}))
local function try(handle, title, der, hash, signature, data)
  local key = handle:importPublicKey(der, #der)
  local ok, message = handle:verifySignature(hash, key:get(), signature, #signature, data, #data)
  handle:logInfo(title .. " " .. tostring(ok) .. " " .. tostring(message))
end
function envoy_on_request(handle)
  local path = handle:headers():get(":path")
  if path == "/rsa" then
    try(handle, "sha1", rsa_key, "sha1", rsa_sha1, "hello world")
    try(handle, "sha256", rsa_key, "sha256", rsa_sha256, "hello world")
    try(handle, "sha512", rsa_key, "sha512", rsa_sha512, "hello world")
    try(handle, "upper case", rsa_key, "SHA256", rsa_sha256, "hello world")
    try(handle, "other data", rsa_key, "sha256", rsa_sha256, "hello worle")
    try(handle, "other hash", rsa_key, "sha512", rsa_sha256, "hello world")
    try(handle, "unknown hash", rsa_key, "md4", rsa_sha256, "hello world")
    try(handle, "no signature", rsa_key, "sha256", "", "hello world")
  else
    try(handle, "sha256", ec_key, "sha256", ec_sha256, "hello world")
    try(handle, "sha384", ec_key, "sha384", ec_sha384, "hello world")
    try(handle, "other data", ec_key, "sha256", ec_sha256, "hello worle")
    try(handle, "garbled", ec_key, "sha256", "garbled", "hello world")
  end
end
