-- Public keys and tokens, made and signed with Python's cryptography. The claims of all three tokens:
-- {"iss": "https://issuer.example", "aud": ["shop", "other"], "sub": "ann", "exp": 1700003600, "nbf": 1699999000}
-- {"scope": "orders:read orders:write", "roles": ["a", "b"], "level": 3}
local vectors = {keys = {}, tokens = {}}

vectors.keys.rsa = {
  kty = "RSA",
  kid = "rsa-1",
  alg = "RS256",
  use = "sig",
  n = "ybVrrDXTTGVb6uTXGksKsbSX7fBmFGVfdKBL0dRiEQEBwolEIRKPIkpHqVCP_NMcQ0urE9tbaKizitlfP6M8ySsXwsA59JIRFdim"
    .. "jYmdfg6ndhJpR9KXCeJKYs2FViU0-ncSdbv9QlnGBrNXCj4orSmGXYP3WL8bMU4OoAbLfGYzaDaOXlV-c8yFhXGs2DCZRFV736FJ"
    .. "EPdEZrue9huWmnKNa8loX2vfzUulpZ23jiTLnU4U7MOSYIaYdlCdYxzcj_G_OH46t7IRuEujl7LQAuBOSlQxysrW-Kx988-pOnbO"
    .. "0msTvtWGJsGgUmnt2LrEYN41QGPA1ehqj4CqWsOzEw",
  e = "AQAB",
}

vectors.keys.ec = {
  kty = "EC",
  kid = "ec-1",
  crv = "P-256",
  x = "7EycVoX_KpdhOapFcKTpAhyRd3vtrz_mnHsU79iXEeI",
  y = "CezDn5VxyVh3II2l5-W0YssPbJjdHqWouoYw4IZ17T4",
}

vectors.keys.ed = {
  kty = "OKP",
  kid = "ed-1",
  crv = "Ed25519",
  x = "fViPYk2l6qBywXnTSRCWqVKzWK-48Byfeu9V-qEuIOk",
}

vectors.tokens.RS256 = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InJzYS0xIn0.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwi"
    .. "YXVkIjpbInNob3AiLCJvdGhlciJdLCJzdWIiOiJhbm4iLCJleHAiOjE3MDAwMDM2MDAsIm5iZiI6MTY5OTk5OTAwMCwic2NvcGUi"
    .. "OiJvcmRlcnM6cmVhZCBvcmRlcnM6d3JpdGUiLCJyb2xlcyI6WyJhIiwiYiJdLCJsZXZlbCI6M30.U96ZkWJJCMLTs_EBEsfXpAha"
    .. "_AzpXbHBQXcB2wimREj-bbiHhNujhu2InY2AvrtmQjLB-fQ6aGIQrUVbA1hsj27D7mrRa3m5Z0ELJj6OGR9aK2_qUmkEZUtQ7TO2"
    .. "9xtXwAQiWvp4NhWDp1cNssgc4cJzrX45bRIRj6bM21nU1z31sqWSit-Ad4As4I1U2J30FHAO_8Ohij9yl-xjrlZVmXYNjkRDkFBu"
    .. "tC3cv9Himob3L8XVZRM4BUU8_-HgKDC5XuGoinfDTKvmUyaZsYjoeYObhW7XIBQWdkOnoCeZXIHT3ikUHb40fKxT16o0iLR2eTqa"
    .. "fPi9uJfXigmknn1-EQ"

vectors.tokens.ES256 = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjLTEifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjpbInNob3AiL"
    .. "CJvdGhlciJdLCJzdWIiOiJhbm4iLCJleHAiOjE3MDAwMDM2MDAsIm5iZiI6MTY5OTk5OTAwMCwic2NvcGUiOiJvcmRlcnM6cmVhZ"
    .. "CBvcmRlcnM6d3JpdGUiLCJyb2xlcyI6WyJhIiwiYiJdLCJsZXZlbCI6M30.eynslxBuA1HXA1Oe6C7M1vMmHFW-Un0sY3N3yQ7kT"
    .. "87ZFbu-33VKYUKAqNvGYoAX2ZdwoQAoC2Ze532Fvf1A5g"

vectors.tokens.EdDSA = "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkLTEifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjpbInNob3AiL"
    .. "CJvdGhlciJdLCJzdWIiOiJhbm4iLCJleHAiOjE3MDAwMDM2MDAsIm5iZiI6MTY5OTk5OTAwMCwic2NvcGUiOiJvcmRlcnM6cmVhZ"
    .. "CBvcmRlcnM6d3JpdGUiLCJyb2xlcyI6WyJhIiwiYiJdLCJsZXZlbCI6M30.ncVrCd_k87QlaWACCX1B63I0TarnVJsJ_bLgNFPg4"
    .. "bbgtsG9QZcyl5kDqCsbIZwqFb9-ANGl-bxR4ua09SboBg"

vectors.pem = [[
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAybVrrDXTTGVb6uTXGksK
sbSX7fBmFGVfdKBL0dRiEQEBwolEIRKPIkpHqVCP/NMcQ0urE9tbaKizitlfP6M8
ySsXwsA59JIRFdimjYmdfg6ndhJpR9KXCeJKYs2FViU0+ncSdbv9QlnGBrNXCj4o
rSmGXYP3WL8bMU4OoAbLfGYzaDaOXlV+c8yFhXGs2DCZRFV736FJEPdEZrue9huW
mnKNa8loX2vfzUulpZ23jiTLnU4U7MOSYIaYdlCdYxzcj/G/OH46t7IRuEujl7LQ
AuBOSlQxysrW+Kx988+pOnbO0msTvtWGJsGgUmnt2LrEYN41QGPA1ehqj4CqWsOz
EwIDAQAB
-----END PUBLIC KEY-----
]]

return vectors
