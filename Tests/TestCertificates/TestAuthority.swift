import Foundation

/// A certificate authority of a test, made by `openssl` in a folder of its own that goes with it.
public final class TestAuthority: @unchecked Sendable {
  public enum KeyKind: Sendable { case ec, rsa }

  public struct Failure: Error, CustomStringConvertible {
    public let description: String
  }

  /// A certificate (with the intermediate authorities above it) and its key, as PEM.
  public struct Issued: Sendable {
    public let certificate: [UInt8]
    public let key: [UInt8]
    public let certificatePath: String
    public let keyPath: String
    /// Upper-case hexadecimal.
    public let serial: String
    public let name: String
  }

  public let folder: String
  private let name: String
  private let parent: TestAuthority?
  private var counter = 0
  private var revoked: [Issued] = []

  /// - Parameter parent: the authority that signs this one; nil: a root.
  public init(_ name: String = "Test CA", parent: TestAuthority? = nil) throws {
    self.name = name
    self.parent = parent
    folder = NSTemporaryDirectory() + "/weft-ca-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try key(.ec, "ca")
    try run("req", "-new", "-key", path("ca.key"), "-subj", "/CN=\(name)", "-out", path("ca.csr"))
    let extensions =
      "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
    try write(extensions, "ca.ext")
    var arguments = [
      "x509", "-req", "-in", path("ca.csr"), "-extfile", path("ca.ext"), "-days", "30", "-out", path("ca.crt"),
    ]
    arguments +=
      parent.map { ["-CA", $0.path("ca.crt"), "-CAkey", $0.path("ca.key"), "-CAcreateserial"] }
      ?? ["-signkey", path("ca.key")]
    try run(arguments)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  public var certificatePath: String { path("ca.crt") }
  public var certificate: [UInt8] { get throws { try read("ca.crt") } }

  /// Issues a certificate.
  /// - Parameters:
  ///   - names: `DNS:...`, `URI:...`, `IP:...`.
  ///   - days: how long it is good for; negative: it has expired.
  public func issue(
    _ name: String, names: [String] = [], key kind: KeyKind = .ec, days: Int = 30
  ) throws -> Issued {
    counter += 1
    let base = "\(counter)"
    try key(kind, base)
    try run("req", "-new", "-key", path("\(base).key"), "-subj", "/CN=\(name)", "-out", path("\(base).csr"))
    let serial = "\(1000 + counter)"
    var extensions = "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n"
    if !names.isEmpty { extensions += "subjectAltName=\(names.joined(separator: ","))\n" }
    try write(extensions, "\(base).ext")
    if days < 0 {
      try signExpired(base, serial: serial, days: days)
    } else {
      try run(
        "x509", "-req", "-in", path("\(base).csr"), "-CA", path("ca.crt"), "-CAkey", path("ca.key"), "-set_serial",
        "0x\(serial)", "-extfile", path("\(base).ext"), "-days", String(days), "-out", path("\(base).crt"))
    }
    if parent != nil {
      let chain = try read("\(base).crt") + certificate
      try Data(chain).write(to: URL(fileURLWithPath: path("\(base).crt")))
    }
    return Issued(
      certificate: try read("\(base).crt"), key: try read("\(base).key"), certificatePath: path("\(base).crt"),
      keyPath: path("\(base).key"), serial: serial, name: name)
  }

  private func signExpired(_ base: String, serial: String, days: Int) throws {
    let end = DateFormatter()
    end.dateFormat = "yyyyMMddHHmmss'Z'"
    end.timeZone = TimeZone(identifier: "UTC")
    end.locale = Locale(identifier: "en_US_POSIX")
    // An hour more, so that a slow test does not see one day less.
    let expiry = end.string(from: Date(timeIntervalSinceNow: Double(days) * 86_400 - 3_600))
    try write("", "\(base).db")
    try write("\(serial)\n", "\(base).serial")
    try write(
      """
      [ca]
      default_ca = here
      [here]
      database = \(path("\(base).db"))
      serial = \(path("\(base).serial"))
      new_certs_dir = \(folder)
      default_md = sha256
      policy = names
      [names]
      commonName = supplied

      """, "\(base).cnf")
    try run(
      "ca", "-batch", "-notext", "-config", path("\(base).cnf"), "-cert", path("ca.crt"), "-keyfile", path("ca.key"),
      "-in", path("\(base).csr"), "-extfile", path("\(base).ext"), "-startdate", "20200101000000Z", "-enddate", expiry,
      "-out", path("\(base).crt"))
  }

  /// Revokes certificates and makes the list that says so.
  public func revocationList(revoking more: [Issued] = []) throws -> [UInt8] {
    revoked += more
    let database = revoked.map { "R\t491231235959Z\t250101000000Z\t\($0.serial)\tunknown\t/CN=\($0.name)\n" }
    try write(database.joined(), "index.txt")
    try write("01\n", "crlnumber")
    try write(
      """
      [ca]
      default_ca = here
      [here]
      database = \(path("index.txt"))
      crlnumber = \(path("crlnumber"))
      default_md = sha256
      default_crl_days = 30

      """, "ca.cnf")
    try run(
      "ca", "-gencrl", "-config", path("ca.cnf"), "-cert", path("ca.crt"), "-keyfile", path("ca.key"), "-out",
      path("ca.crl"))
    return try read("ca.crl")
  }

  /// An OCSP response in DER form for a certificate, saying that it is good.
  public func ocspResponse(for issued: Issued) throws -> [UInt8] {
    try write("V\t491231235959Z\t\t\(issued.serial)\tunknown\t/CN=\(issued.name)\n", "ocsp.txt")
    try run(
      "ocsp", "-index", path("ocsp.txt"), "-rsigner", path("ca.crt"), "-rkey", path("ca.key"), "-CA", path("ca.crt"),
      "-issuer", path("ca.crt"), "-cert", issued.certificatePath, "-ndays", "7", "-respout", path("ocsp.der"))
    return try read("ocsp.der")
  }

  // MARK: Files and commands

  private func key(_ kind: KeyKind, _ base: String) throws {
    switch kind {
    case .ec: try run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path("\(base).key"))
    case .rsa: try run("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", path("\(base).key"))
    }
  }

  private func path(_ file: String) -> String { "\(folder)/\(file)" }
  private func read(_ file: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path(file)))) }
  private func write(_ text: String, _ file: String) throws {
    try text.write(toFile: path(file), atomically: true, encoding: .utf8)
  }

  private func run(_ arguments: String...) throws { try run(arguments) }

  private func run(_ arguments: [String]) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    let errors = Pipe()
    process.standardError = errors
    try process.run()
    let said = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    if process.terminationStatus != 0 {
      throw Failure(
        description: "openssl \(arguments.joined(separator: " ")): \(String(decoding: said, as: UTF8.self))")
    }
  }
}
