/// How a listener treats TLS.
public struct ListenerTLS: Sendable, Hashable {
  public enum Mode: String, Sendable, Hashable, CaseIterable {
    case terminate = "Terminate"
    case passthrough = "Passthrough"
  }

  public let mode: Mode
  public let certificateRefs: [ObjectReference]
  /// The `weft.dev/` entries of `options`.
  public let settings: TLSOptions
  public let origin: Origin
  let hasMode: Bool

  init(_ reader: ObjectReader, namespace: String) {
    hasMode = reader.has("mode")
    mode = reader.enumeration("mode", default: .terminate)
    certificateRefs = reader.objects("certificateRefs", count: Bounds.certificates) {
      ObjectReference($0, namespace: namespace, defaultKind: "Secret")
    }
    settings = TLSOptions(reader, .listener)
    origin = Origin(reader.node)
    let hasForeignOptions = reader.rawNode("options")?.entries.contains { !$0.key.hasPrefix("weft.dev/") } ?? false
    let hasCertificate = !(reader.rawNode("certificateRefs")?.items.isEmpty ?? true)
    if mode == .terminate, !hasCertificate, settings.certificateFile == nil, !hasForeignOptions {
      reader.error("certificateRefs", "is missing; mode Terminate needs a certificate")
    }
  }
}

/// TLS of a whole Gateway: which clients it accepts, and what it shows to backends.
public struct GatewayTLS: Sendable, Hashable {
  /// How the certificates of clients are verified.
  public struct ClientValidation: Sendable, Hashable {
    public enum Mode: String, Sendable, Hashable, CaseIterable {
      case allowValidOnly = "AllowValidOnly"
      case allowInsecureFallback = "AllowInsecureFallback"
    }

    public let caCertificateRefs: [ObjectReference]
    public let mode: Mode
  }

  /// For ports without their own; nil: clients need no certificate.
  public let defaultValidation: ClientValidation?
  /// A port that is listed with nil asks for no certificate.
  public let validationByPort: [Int: ClientValidation?]
  public let clientCertificateRef: ObjectReference?

  init(_ reader: ObjectReader, namespace: String) {
    let frontend = reader.optionalObject("frontend")
    defaultValidation = frontend.flatMap { GatewayTLS.validation($0.object("default"), namespace: namespace) }
    var byPort: [Int: ClientValidation?] = [:]
    _ = frontend?.objects("perPort", count: Bounds.addresses) { reader in
      let port = reader.int("port", in: Bounds.port)
      let validation = GatewayTLS.validation(reader.object("tls"), namespace: namespace)
      if byPort.updateValue(validation, forKey: port) != nil {
        reader.error("port", "port \(port) is listed twice; keep one")
      }
    }
    validationByPort = byPort
    clientCertificateRef = reader.optionalObject("backend")?.optionalObject("clientCertificateRef") {
      ObjectReference($0, namespace: namespace, defaultKind: "Secret")
    }
  }

  /// How a port's clients are verified; nil: they are not asked for a certificate.
  public func validation(port: Int) -> ClientValidation? { validationByPort[port] ?? defaultValidation }

  private static func validation(_ reader: ObjectReader, namespace: String) -> ClientValidation? {
    reader.optionalObject("validation") { reader in
      ClientValidation(
        caCertificateRefs: reader.objects("caCertificateRefs", count: 1...Bounds.certificates.upperBound) {
          ObjectReference($0, namespace: namespace)
        },
        mode: reader.enumeration("mode", default: .allowValidOnly))
    }
  }
}
