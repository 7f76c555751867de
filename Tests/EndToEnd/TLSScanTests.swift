import Foundation
import TestCertificates
import Testing

@Suite("TLS, scanned", .endToEnd)
struct TLSScanTests {
  private static let script =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/TLSScan/scan.py"

  @Test("nothing weak is taken: versions, ciphers, groups, signatures, compression, renegotiation, early data")
  func scan() throws {
    let authority = try TestAuthority()
    let ecdsa = try authority.issue("a.test", names: ["DNS:a.test"])
    let rsa = try authority.issue("b.test", names: ["DNS:b.test"], key: .rsa)
    let scene = try TLSScene(
      authority,
      listeners: { port in
        [("a", "a.test"), ("b", "b.test")].map { name, host in
          "{name: \(name), hostname: \(host), protocol: HTTPS, port: \(port), tls: {options: "
            + "{weft.dev/certificate-file: \(name).crt, weft.dev/key-file: \(name).key}}}"
        }.joined(separator: ", ")
      },
      files: ["a.crt": ecdsa.certificate, "a.key": ecdsa.key, "b.crt": rsa.certificate, "b.key": rsa.key])
    defer { scene.stop() }
    let result = try Tool.run(
      "/usr/bin/python3", [Self.script, String(scene.port), authority.certificatePath, "a.test", "b.test"], within: 240)
    #expect(result.code == 0, "\(result.output)\(result.errorOutput)")
  }

  @Test(
    "an OCSP response is stapled for clients that ask for it, and for no others", arguments: ["-tls1_2", "-tls1_3"])
  func staple(version: String) throws {
    let authority = try TestAuthority()
    let server = try authority.issue("a.test", names: ["DNS:a.test"])
    let response = try authority.ocspResponse(for: server)
    func listener(_ name: String, _ host: String, _ more: String) -> (Int) -> String {
      { port in
        "{name: \(name), hostname: \(host), protocol: HTTPS, port: \(port), tls: {options: "
          + "{weft.dev/certificate-file: a.crt, weft.dev/key-file: a.key\(more)}}}"
      }
    }
    let stapling = listener("with", "a.test", ", weft.dev/ocsp-file: a.ocsp")
    let bare = listener("without", "b.test", "")
    // Files of scenes are text; the response is not.
    let file = authority.folder + "/a.ocsp"
    try Data(response).write(to: URL(fileURLWithPath: file))
    let scene = try TLSScene(
      authority,
      listeners: { stapling($0).replacingOccurrences(of: "a.ocsp", with: file) + ", " + bare($0) },
      // curl looks for the response's issuer in the chain that the server shows.
      files: ["a.crt": server.certificate + authority.certificate, "a.key": server.key])
    defer { scene.stop() }
    let stapled = try scene.handshake(version, "-status", "-servername", "a.test")
    #expect(stapled.code == 0, "\(stapled.errorOutput)")
    #expect(stapled.output.contains("OCSP Response Status: successful"), "\(stapled.output)")
    #expect(stapled.output.contains("Cert Status: good"))
    #expect(try !scene.handshake(version, "-servername", "a.test").output.contains("OCSP Response Status"))
    let none = try scene.handshake(version, "-status", "-servername", "b.test")
    #expect(none.output.contains("OCSP response: no response sent"), "\(none.output)")
    // curl, asked for the status, fails without a staple that is good.
    let taken = try scene.curl("/echo", host: "a.test", "--cert-status")
    #expect(taken.code == 0, "\(taken.errorOutput)")
    // CURLE_SSL_INVALIDCERTSTATUS. The certificate is for a.test alone, so the name is not looked at.
    let refused = try scene.curl("/echo", host: "b.test", "--insecure", "--cert-status")
    #expect(refused.code == 91, "\(refused.errorOutput)")
  }
}
