import Testing

@testable import WeftLua

@Suite struct CryptoTests {
  @Test func signatures() throws {
    try WeftTable.check(
      CryptoVectors.lua + #"""

        local c = weft.crypto
        local kinds = {RS = "rsa", PS = "rsa", ES256 = "P-256", ES384 = "P-384", EdDSA = "ed"}
        for algorithm, text in pairs(signatures) do
          local key = assert(c.public_key(keys[kinds[algorithm] or kinds[algorithm:sub(1, 2)]]))
          local signature = assert(weft.base64.decode_url(text))
          same(true, c.verify(algorithm, key, "signed text", signature), algorithm)
          same(false, c.verify(algorithm, key, "signed texT", signature), algorithm)
          same(false, c.verify(algorithm, key, "", signature), algorithm)
          same(false, c.verify(algorithm, key, "signed text", ""), algorithm)
          same(false, c.verify(algorithm, key, "signed text", signature .. "\0"), algorithm)
          same(false, c.verify(algorithm, key, "signed text", signature:sub(1, -2)), algorithm)
          same(false, c.verify(algorithm, key, "signed text", "\0" .. signature:sub(2)), algorithm)
          same(false, c.verify(algorithm, key, "signed text", ("\0"):rep(#signature)), algorithm)
          for other, kind in pairs{RS256 = "RSA", PS512 = "RSA", ES256 = "EC", EdDSA = "Ed25519"} do
            if key:kind() ~= kind then refused("not one for " .. other, c.verify(other, key, "signed text", signature)) end
          end
        end
        local p256, p384 = c.public_key(keys["P-256"]), c.public_key(keys["P-384"])
        refused("not one for ES384", c.verify("ES384", p256, "x", "y")) refused("not one for ES256", c.verify("ES256", p384, "x", "y"))
        same(256, p256:bits()) same(384, p384:bits()) same(2048, c.public_key(keys.rsa):bits())
        """#)
  }

  @Test func hmacs() throws {
    try WeftTable.check(
      #"""
      local c = weft.crypto
      -- RFC 7515 A.1
      local token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtc"
        .. "GxlLmNvbS9pc19yb290Ijp0cnVlfQ"
      local key = weft.base64.decode_url(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
      local signature = weft.base64.decode_url("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
      same(true, c.verify("HS256", key, token, signature)) same(false, c.verify("HS256", key .. "x", token, signature))
      same(false, c.verify("HS384", key, token, signature)) same(false, c.verify("HS256", key, token, ""))
      for name, hmac in pairs{HS384 = weft.hash.hmac_sha384, HS512 = weft.hash.hmac_sha512} do
        same(true, c.verify(name, "k", "d", hmac("k", "d", "raw")))
      end
      raises("empty key", c.verify, "HS256", "", "d", "s")
      refused('"none" is not supported', c.verify("none", "k", "d", "")) refused("not supported", c.verify("hs256", "k", "d", ""))
      -- A public key's text is no secret, and no key for an HMAC a public key.
      raises("public key expected", c.verify, "RS256", "k", "d", "s")
      same(true, c.equal("", "")) same(false, c.equal("a", "")) same(true, c.equal("a\0b", "a\0b")) same(false, c.equal("a\0b", "a\0c"))
      """#)
  }

  @Test func keysAreChecked() throws {
    try WeftTable.check(
      CryptoVectors.lua + """

        local c = weft.crypto
        same("RSA", c.public_key([[\(CryptoVectors.rsaPEM)]]):kind())
        same("EC", c.public_key([[\(CryptoVectors.p256PEM)]]):kind())
        local der = weft.base64.decode(([[\(CryptoVectors.p256PEM)]]):gsub("%-%-%-%-%-[^\\n]*", ""):gsub("%s", ""))
        same("EC", c.public_key(der):kind())
        refused("P-256 and P-384 are allowed", c.public_key([[\(CryptoVectors.p521PEM)]]))
        refused("2048 to 8192", c.public_key(\(CryptoVectors.shortRSA)))
        for _, text in ipairs{"", "x", "-----BEGIN PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----", der:sub(1, -2), der .. der} do
          if text ~= der .. der then refused("cannot read the public key", c.public_key(text)) end
        end
        refused("too long", c.public_key(("x"):rep(20000)))
        local function with(key, change)
          local copy = {}
          for k, v in pairs(keys[key]) do copy[k] = v end
          for k, v in pairs(change) do copy[k] = v end
          return copy
        end
        refused('no "kty"', c.public_key({})) refused('type "oct"', c.public_key({kty = "oct", k = "AAAA"}))
        refused('"n" and "e"', c.public_key(with("rsa", {e = "!"}))) refused('"n" and "e"', c.public_key(with("rsa", {n = 1})))
        refused("exponent", c.public_key(with("rsa", {e = "AQ"}))) refused("exponent", c.public_key(with("rsa", {e = "Ag"})))
        refused("too long", c.public_key(with("rsa", {e = ("AAAA"):rep(20)})))
        refused("", c.public_key(with("P-256", {x = keys["P-256"].y}))) refused("length", c.public_key(with("P-256", {x = "AAAA"})))
        refused("not supported", c.public_key(with("P-256", {crv = "P-521"}))) refused('no "crv"', c.public_key({kty = "EC"}))
        refused("", c.public_key(with("P-256", {crv = "P-384"}))) refused('"y"', c.public_key(with("P-384", {y = "="})))
        refused("not supported", c.public_key(with("ed", {crv = "X25519"}))) refused("", c.public_key(with("ed", {x = "AAAA"})))
        local key = c.public_key(keys.ed)
        raises("public key expected", key.bits, handle)
        same(false, getmetatable(key))
        """)
  }

  /// Keys that nobody holds any more are no burden; those that a script holds are bounded.
  @Test func keysAreBounded() throws {
    try WeftTable.check(
      CryptoVectors.lua + #"""

        for i = 1, 2000 do assert(weft.crypto.public_key(keys.ed)) end
        local held = {}
        raises("more than 256 public keys", function() for i = 1, 300 do held[i] = weft.crypto.public_key(keys.ed) end end)
        same(256, #held)
        """#)
  }

  /// Vectors of RFC 6070 and RFC 7914 11.
  @Test func keysFromPasswords() throws {
    try WeftTable.check(
      #"""
      local pbkdf2 = weft.crypto.pbkdf2
      same("0c60c80f961f0e71f3a9b524af6012062fe037a6", pbkdf2("sha1", "password", "salt", 1, 20, "hex"))
      same("4b007901b765489abead49d926f721d065a429c1", pbkdf2("sha1", "password", "salt", 4096, 20, "hex"))
      same("56fa6aa75548099dcc37d7f03425e0c3", pbkdf2("sha1", "pass\0word", "sa\0lt", 4096, 16, "hex"))
      same(
        "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
          .. "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
        pbkdf2("sha256", "passwd", "salt", 1, 64, "hex"))
      same(32, #pbkdf2("sha512", "", "", 1, 32))
      raises("invalid option", pbkdf2, "md5", "p", "s", 1, 32)
      for _, iterations in ipairs{0, -1, 50001} do raises("iterations", pbkdf2, "sha256", "p", "s", iterations, 32) end
      for _, bytes in ipairs{0, -1, 65} do raises("1 to 64 bytes", pbkdf2, "sha256", "p", "s", 1, bytes) end
      raises("1024 bytes", pbkdf2, "sha256", ("p"):rep(1025), "s", 1, 32)
      raises("1024 bytes", pbkdf2, "sha256", "p", ("s"):rep(1025), 1, 32)
      """#)
  }
}
