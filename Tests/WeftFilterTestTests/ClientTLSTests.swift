import Testing
import WeftConfig
import WeftFilterTest

@Suite("The client's TLS in tests of bundles")
struct ClientTLSTests {
  private static let script = """
    function on_request(h)
      local ssl = h:connection():ssl()
      local headers = h:headers()
      if not ssl then return headers:add("x-tls", "none") end
      headers:add("x-tls", ssl:tlsVersion() .. " " .. ssl:ciphersuiteString() .. " " .. ssl:ciphersuiteId())
      headers:add("x-peer", tostring(ssl:peerCertificatePresented()) .. " " .. tostring(ssl:peerCertificateValidated()))
      headers:add("x-subject", ssl:subjectPeerCertificate() .. "|" .. ssl:issuerPeerCertificate())
      headers:add("x-sans", table.concat(ssl:uriSanPeerCertificate(), " ") .. "|"
        .. table.concat(ssl:dnsSansPeerCertificate(), " "))
      headers:add("x-serial", ssl:serialNumberPeerCertificate() .. "|" .. ssl:sha256PeerCertificateDigest())
      headers:add("x-life", ssl:validFromPeerCertificate() .. "|" .. ssl:expirationPeerCertificate())
      headers:add("x-pem", ssl:urlEncodedPemEncodedPeerCertificate())
      headers:add("x-session", ssl:sessionId())
      headers:add("x-name", h:streamInfo():requestedServerName())
      headers:add("x-local", ssl:subjectLocalCertificate() .. "|" .. table.concat(ssl:dnsSansLocalCertificate(), " ")
        .. "|" .. table.concat(ssl:uriSanLocalCertificate(), " "))
      local parsed = ssl:parsedSubjectPeerCertificate()
      if parsed then
        headers:add("x-parsed", parsed:commonName() .. "|" .. table.concat(parsed:organizationName(), " and "))
      end
    end
    """

  @Test("scripts find what a test says of the client and its certificate")
  func identity() throws {
    try ScratchBundle.pass(
      Self.script,
      """
      test("no TLS", function()
        for _, tls in ipairs{false} do assert_header(request{tls = tls}.upstream, "x-tls", "none") end
        assert_header(request{}.upstream, "x-tls", "none")
      end)

      test("TLS without a certificate", function()
        for _, tls in ipairs{true, {}} do
          local seen = request{tls = tls}.upstream
          assert_header(seen, "x-tls", "TLSv1.3 TLS_AES_128_GCM_SHA256 0x1301")
          assert_header(seen, "x-peer", "false false")
          assert_header(seen, "x-subject", "|")
          assert_header(seen, "x-parsed", false)
          assert_header(seen, "x-life", "0|0")
        end
      end)

      test("a certificate with what it has unless something is said", function()
        local seen = request{tls = {peer = {}}}.upstream
        assert_header(seen, "x-peer", "true true")
        assert_header(seen, "x-subject", "CN=client|CN=Test CA")
        assert_header(seen, "x-parsed", "client|")
        assert_header(seen, "x-life", "1699996400|1700086400")
        assert_match(seen.headers["x-serial"], "^01|%x+$")
        assert_equal(#seen.headers["x-serial"], 3 + 64)
      end)

      test("everything said", function()
        local seen = request{tls = {
          version = "TLSv1.2", cipher = "ECDHE-RSA-AES128-GCM-SHA256", server_name = "shop.example", session = "\\1\\255",
          validated = false,
          peer = {
            subject = "CN=reviews,OU=x,O=Example\\\\, Inc.,O=Other", issuer = "CN=CA", serial = "0a",
            uri_sans = {"https://a.example", "https://b.example"}, dns_sans = {"a.example"}, valid_from = 5, expires = 7,
            sha256 = "ab", pem = "-----BEGIN",
          },
          local_ = nil, ["local"] = {subject = "CN=gate", dns_sans = {"gate.example"}, spiffe_id = "spiffe://e/gate"},
        }}.upstream
        assert_header(seen, "x-tls", "TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256 0xc02f")
        assert_header(seen, "x-peer", "true false")
        assert_header(seen, "x-subject", "CN=reviews,OU=x,O=Example\\\\, Inc.,O=Other|CN=CA")
        assert_header(seen, "x-parsed", "reviews|Other and Example, Inc.")
        assert_header(seen, "x-sans", "https://a.example https://b.example|a.example")
        assert_header(seen, "x-serial", "0a|ab")
        assert_header(seen, "x-life", "5|7")
        assert_header(seen, "x-pem", "-----BEGIN")
        assert_header(seen, "x-session", "01ff")
        assert_header(seen, "x-name", "shop.example")
        assert_header(seen, "x-local", "CN=gate|gate.example|spiffe://e/gate")
      end)

      test("a SPIFFE ID", function()
        local seen = request{tls = {peer = {spiffe_id = "spiffe://example.org/shop", uri_sans = {}}}}.upstream
        assert_header(seen, "x-sans", "spiffe://example.org/shop|")
      end)

      test("mistakes", function()
        local function refused(tls, why) assert_error(function() request{tls = tls} end, why) end
        refused("yes", "tls takes a table with version, cipher")
        refused({peeer = {}}, 'tls has no field "peeer"; it has version, cipher')
        refused({peer = {sans = {}}}, 'tls.peer has no field "sans"; it has subject')
        refused({peer = {uri_sans = "x"}}, "tls.peer.uri_sans is a list of strings")
        refused({peer = {uri_sans = {a = 1}}}, "tls.peer.uri_sans is a list of strings")
        refused({peer = {subject = 1}}, "tls.peer.subject is a string")
        refused({peer = {expires = "soon"}}, "tls.peer.expires is a whole number of seconds since 1970")
        refused({peer = {spiffe_id = "x"}}, "tls.peer.spiffe_id begins with spiffe://")
        refused({peer = {spiffe_id = "spiffe://x", uri_sans = {"y"}}}, "give spiffe_id or uri_sans")
        refused({validated = true}, "there is no tls.peer to be validated")
        refused({validated = 1}, "tls.validated is true or false")
      end)
      """)
  }

  @Test("a file with a request says it, too")
  func file() throws {
    let bundle = try ScratchBundle([
      "main.lua": Self.script,
      "request.yaml": """
      path: /x
      route: default/shop#0
      tls:
        peer: {spiffe_id: "spiffe://example.org/shop"}
      """,
    ])
    var input = FilterTrial.Input()
    input.request = try MessageFile("\(bundle.path)/request.yaml", .request)
    input.request.set(url: "https://shop.example/y")
    let trial = try FilterTrial(bundle.path, input)
    #expect(trial.text(width: 160, usesColor: false).contains("+ x-sans: spiffe://example.org/shop|"))
  }
}
