/// TLS settings beyond the Gateway API's own fields: the `weft.dev/` entries among the `options` of a listener's TLS or
/// of a BackendTLSPolicy. Options of other owners are left alone.
public struct TLSOptions: Sendable, Hashable {
  public enum Version: String, Sendable, Hashable, CaseIterable {
    case v12 = "1.2"
    case v13 = "1.3"
  }

  public enum ClientAuth: String, Sendable, Hashable, CaseIterable { case none, request, require }

  public private(set) var minimumVersion: Version?
  public private(set) var maximumVersion: Version?
  /// OpenSSL's names, joined by colons; for TLS 1.2.
  public private(set) var ciphers: String?
  public private(set) var groups: String?
  // PEM files, relative to the file that names them.
  public private(set) var certificateFile: String?
  public private(set) var keyFile: String?
  /// In DER form.
  public private(set) var ocspFile: String?
  public private(set) var caFile: String?
  public private(set) var crlFile: String?
  public private(set) var clientAuth: ClientAuth?
  /// Whether a listener takes plain connections besides TLS, or instead of it; nil: TLS only.
  public private(set) var peerAuthentication: PeerAuthentication.Mode?
  /// Names of which a client's certificate must have one.
  public private(set) var subjects: [String] = []
  public let origin: Origin

  /// The option's values are in lower case, as those of the others are.
  private enum PeerMode: String, CaseIterable {
    case strict, permissive, disable

    var mode: PeerAuthentication.Mode {
      switch self {
      case .strict: .strict
      case .permissive: .permissive
      case .disable: .disable
      }
    }
  }

  /// Where options stand, and which of them have a meaning there.
  enum Place {
    case listener, backend

    var names: [String] {
      let both = [
        "min-version", "max-version", "ciphers", "groups", "certificate-file", "key-file", "ca-file", "crl-file",
      ]
      return self == .listener ? both + ["ocsp-file", "client-auth", "client-subjects", "peer-authentication"] : both
    }
  }

  init(_ reader: ObjectReader, _ place: Place) {
    origin = Origin(reader.rawNode("options") ?? reader.node)
    var entries: [String: ConfigNode] = [:]
    _ = reader.map("options") { key, node -> Bool in
      let text = try node.string()
      guard key.hasPrefix("weft.dev/") else { return false }
      let name = String(key.dropFirst("weft.dev/".count))
      guard place.names.contains(name) else {
        throw node.error("is no option\(Suggestion.advice(for: name, among: place.names, listing: "known are"))")
      }
      if text.isEmpty { throw node.error("is empty; leave it out, or give it a value") }
      entries[name] = node
      return true
    }
    func text(_ name: String) -> String? { entries[name].flatMap { try? $0.string() } }
    func file(_ name: String) -> String? {
      guard let node = entries[name], let path = text(name) else { return nil }
      if path.hasPrefix("/") { return path }
      guard let slash = node.location.file.lastIndex(of: "/") else { return path }
      return String(node.location.file[...slash]) + path
    }
    func choice<E: RawRepresentable & CaseIterable>(_ name: String) -> E? where E.RawValue == String {
      guard let value = text(name) else { return nil }
      if let known = E(rawValue: value) { return known }
      if let node = entries[name] {
        reader.report(node.error("is one of \(E.allCases.map(\.rawValue).joined(separator: ", ")), not \"\(value)\""))
      }
      return nil
    }
    minimumVersion = choice("min-version")
    maximumVersion = choice("max-version")
    ciphers = text("ciphers")
    groups = text("groups")
    certificateFile = file("certificate-file")
    keyFile = file("key-file")
    ocspFile = file("ocsp-file")
    caFile = file("ca-file")
    crlFile = file("crl-file")
    clientAuth = choice("client-auth")
    let mode: PeerMode? = choice("peer-authentication")
    peerAuthentication = mode?.mode
    subjects = (text("client-subjects") ?? "").split(separator: ",").map { $0.filter { $0 != " " } }
    check(reader)
  }

  private func check(_ reader: ObjectReader) {
    if (certificateFile == nil) != (keyFile == nil) {
      reader.report(origin.error("weft.dev/certificate-file and weft.dev/key-file go together"))
    }
    if ocspFile != nil, certificateFile == nil {
      reader.report(origin.error("weft.dev/ocsp-file needs weft.dev/certificate-file"))
    }
    if crlFile != nil, caFile == nil { reader.report(origin.error("weft.dev/crl-file needs weft.dev/ca-file")) }
    if let clientAuth, clientAuth != .none, caFile == nil {
      reader.report(origin.error("weft.dev/client-auth: \(clientAuth.rawValue) needs weft.dev/ca-file"))
    }
    if minimumVersion == .v13, maximumVersion == .v12 {
      reader.report(origin.error("weft.dev/min-version is above weft.dev/max-version"))
    }
  }
}
