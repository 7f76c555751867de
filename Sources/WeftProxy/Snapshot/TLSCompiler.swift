import Glibc
import WeftConfig
import WeftIO
import WeftTLS

/// Turns certificates and settings of a configuration into TLS contexts. A file or Secret that is no certificate is an
/// error, so that the last good configuration stays in force; a reference that leads nowhere is what the Gateway API
/// makes of it, a warning and a listener that stays closed, or a service without endpoints.
struct TLSCompiler {
  let resources: ResourceSet
  private(set) var diagnostics: [Diagnostic] = []
  /// Files whose changes matter.
  private(set) var watchedPaths: Set<String> = []

  private var meshIdentity: (TLSIdentity, TrustStore)?
  private static let fileLimit = 4 << 20

  init(_ resources: ResourceSet) { self.resources = resources }

  // MARK: Listeners

  /// What a listener that terminates TLS presents and demands; nil when it cannot be served.
  mutating func server(_ gateway: Gateway, _ listener: Listener, protocols: [String]) -> TLSServerContext? {
    guard let tls = listener.tls else { return nil }
    do throws(Stop) {
      let identities = try identities(tls, of: gateway)
      if identities.isEmpty { return nil }
      var settings = settings(tls.settings)
      settings.protocols = protocols
      let validation = try validation(gateway, listener)
      if tls.settings.peerAuthentication == .strict, validation?.mode != .require {
        diagnostics.append(
          tls.settings.origin.error(
            "weft.dev/peer-authentication: strict demands a certificate of clients, and nothing says by which authorities: add weft.dev/client-auth: require and weft.dev/ca-file, or the Gateway's tls.frontend validation"
          ))
        throw .reported
      }
      return try compile(tls.origin) { () throws(TLSFault) in
        try TLSServerContext(
          identities: identities, settings: settings, validation: validation, scope: "\(gateway.name)/\(listener.name)")
      }
    } catch {
      if case .reported = error {} else { diagnostics.append(listener.origin.warning("the listener stays closed")) }
      return nil
    }
  }

  /// Why a context cannot be made.
  private enum Stop: Error {
    /// As an error: the configuration is refused.
    case reported
    /// As a warning, when the configuration was loaded or here.
    case unresolved
  }

  private mutating func identities(_ tls: ListenerTLS, of gateway: Gateway) throws(Stop) -> [TLSIdentity] {
    var found: [TLSIdentity] = []
    if let identity = try fileIdentity(tls.settings) { found.append(identity) }
    for reference in tls.certificateRefs {
      // What does not resolve has been reported when the configuration was loaded.
      guard reference.kind == Secret.kind,
        resources.isPermitted(reference.kind, reference.name, from: Gateway.kind, in: gateway.metadata.namespace),
        let secret = resources.secrets[reference.name]
      else { continue }
      if let identity = try identity(secret, reference.origin) { found.append(identity) }
    }
    return found
  }

  private mutating func identity(_ secret: Secret, _ origin: Origin) throws(Stop) -> TLSIdentity? {
    guard let certificate = secret.data["tls.crt"], let key = secret.data["tls.key"] else { return nil }
    return try identity(certificate, key, staple: secret.data["tls.ocsp"], "Secret \(secret.name)", origin)
  }

  private mutating func fileIdentity(_ options: TLSOptions) throws(Stop) -> TLSIdentity? {
    guard let path = options.certificateFile, let keyPath = options.keyFile else { return nil }
    let certificate = try read(path, options.origin)
    let key = try read(keyPath, options.origin)
    var staple: [UInt8]?
    if let path = options.ocspFile { staple = try read(path, options.origin) }
    return try identity(certificate, key, staple: staple, path, options.origin)
  }

  private mutating func identity(
    _ certificate: [UInt8], _ key: [UInt8], staple: [UInt8]?, _ what: String, _ origin: Origin
  ) throws(Stop) -> TLSIdentity {
    let identity = try compile(origin, what) { () throws(TLSFault) in
      try TLSIdentity(certificates: certificate, key: key, staple: staple)
    }
    if let problem = identity.validityProblem(now: Int64(time(nil))) {
      diagnostics.append(origin.warning("\(what): \(problem)"))
    }
    return identity
  }

  private mutating func validation(_ gateway: Gateway, _ listener: Listener) throws(Stop) -> ClientValidation? {
    if let options = listener.tls?.settings, let mode = options.clientAuth {
      guard mode != .none, let path = options.caFile else { return nil }
      var validation = ClientValidation(
        mode: mode == .require ? .require : .request, trust: try trust(path, options.crlFile, options.origin))
      validation.subjects = options.subjects.map(SubjectMatch.init)
      return validation
    }
    guard let wanted = gateway.tls?.validation(port: listener.port) else { return nil }
    var pem: [UInt8] = []
    var lists: [UInt8] = []
    for reference in wanted.caCertificateRefs {
      guard resources.isPermitted(reference.kind, reference.name, from: Gateway.kind, in: gateway.metadata.namespace),
        let data = authorityData(reference.kind, reference.name), let ca = data["ca.crt"]
      else {
        diagnostics.append(
          reference.origin.warning(
            "no ConfigMap or Secret \(reference.name) with \"ca.crt\" may be used here (ResolvedRefs=False, reason InvalidCACertificateRef)"
          ))
        throw .unresolved
      }
      pem += ca + [UInt8(ascii: "\n")]
      if let list = data["ca.crl"] { lists += list + [UInt8(ascii: "\n")] }
    }
    let (authorities, revocations) = (pem, lists)
    let trust = try compile(listener.origin, "client authorities") { () throws(TLSFault) in
      try TrustStore(authorities: authorities, revocationLists: revocations.isEmpty ? nil : revocations)
    }
    return ClientValidation(mode: wanted.mode == .allowValidOnly ? .require : .observe, trust: trust)
  }

  // MARK: Services

  enum Client {
    case plain
    case encrypted(TLSClientContext)
    /// The policy cannot be kept: nothing may be sent.
    case unusable
  }

  /// How connections to a service's port are made.
  /// - Parameter previous: the context in force, used again when nothing has changed, so that connections stay.
  mutating func client(
    _ kind: ResourceKind, _ name: ResourceName, port: String?, protocols: [String], previous: TLSClientContext?
  ) -> Client {
    guard let policy = resources.backendTLSPolicy(of: kind, name, port: port) else { return .plain }
    do throws(Stop) {
      let trust = try trust(policy)
      var identity = try fileIdentity(policy.options)
      if identity == nil { identity = try gatewayIdentity() }
      var settings = settings(policy.options)
      settings.protocols = protocols
      let subjects = policy.subjectNames.map { subject in
        switch subject {
        case .hostname(let name): SubjectMatch.dns(name)
        case .uri(let uri): SubjectMatch.uri(uri)
        }
      }
      let made = try compile(policy.origin) { () throws(TLSFault) in
        try TLSClientContext(
          serverName: policy.hostname, trust: trust, subjects: subjects, identity: identity, settings: settings)
      }
      return .encrypted(previous.map { $0.fingerprint == made.fingerprint ? $0 : made } ?? made)
    } catch {
      return .unusable
    }
  }

  /// How connections to workloads of the mesh are made: with this proxy's own identity, and only to those of the
  /// service's.
  mutating func mesh(
    _ service: ResourceName, identities: [String], protocols: [String], previous: TLSClientContext?, _ origin: Origin
  ) -> Client {
    do throws(Stop) {
      let (identity, trust) = try workloadIdentity(origin)
      var settings = TLSSettings()
      settings.protocols = protocols
      settings.minimumVersion = .v13
      let chosen = settings
      let made = try compile(origin) { () throws(TLSFault) in
        try TLSClientContext(
          serverName: "\(service.name).\(service.namespace).\(MeshHosts.domain)", trust: trust,
          subjects: identities.map(SubjectMatch.uri), identity: identity, settings: chosen)
      }
      return .encrypted(previous.map { $0.fingerprint == made.fingerprint ? $0 : made } ?? made)
    } catch {
      return .unusable
    }
  }

  /// The Secret that holds what this proxy shows to others of the mesh, and whom it believes.
  static let workloadIdentity = ResourceName(namespace: "weft-system", name: "workload-identity")

  private mutating func workloadIdentity(_ origin: Origin) throws(Stop) -> (TLSIdentity, TrustStore) {
    if let known = meshIdentity { return known }
    guard let secret = resources.secrets[Self.workloadIdentity], let authorities = secret.data["ca.crt"],
      let identity = try identity(secret, origin)
    else {
      diagnostics.append(
        origin.warning(
          "mutual TLS needs this proxy's own identity, a Secret \(Self.workloadIdentity) with tls.crt, tls.key and ca.crt; requests for the service are answered with 503"
        ))
      throw .unresolved
    }
    let trust = try compile(origin, "Secret \(secret.name)") { () throws(TLSFault) in
      try TrustStore(authorities: authorities)
    }
    meshIdentity = (identity, trust)
    return (identity, trust)
  }

  private mutating func trust(_ policy: BackendTLSPolicy) throws(Stop) -> TrustStore {
    if let path = policy.options.caFile { return try trust(path, policy.options.crlFile, policy.options.origin) }
    if policy.usesSystemAuthorities {
      return try compile(policy.origin) { () throws(TLSFault) in try TrustStore(systemAuthorities: ()) }
    }
    var pem: [UInt8] = []
    for reference in policy.caCertificateRefs {
      let name = ResourceName(namespace: policy.metadata.namespace, name: reference.name)
      guard let ca = authorityData(reference.kind, name)?["ca.crt"] else {
        diagnostics.append(
          reference.origin.warning(
            "no \(reference.kind) \(name) with \"ca.crt\"; requests for the service are answered with 503 (ResolvedRefs=False, reason InvalidCACertificateRef)"
          ))
        throw .unresolved
      }
      pem += ca + [UInt8(ascii: "\n")]
    }
    let authorities = pem
    return try compile(policy.origin) { () throws(TLSFault) in try TrustStore(authorities: authorities) }
  }

  /// The certificate that a Gateway shows to backends; the first one's where several have one.
  private mutating func gatewayIdentity() throws(Stop) -> TLSIdentity? {
    for gateway in resources.gateways.all {
      guard let reference = gateway.tls?.clientCertificateRef, reference.kind == Secret.kind,
        resources.isPermitted(reference.kind, reference.name, from: Gateway.kind, in: gateway.metadata.namespace)
      else { continue }
      guard let secret = resources.secrets[reference.name] else {
        diagnostics.append(
          reference.origin.warning(
            "no Secret \(reference.name) (ResolvedRefs=False, reason InvalidClientCertificateRef)"))
        throw .unresolved
      }
      return try identity(secret, reference.origin)
    }
    return nil
  }

  // MARK: Parts

  private func authorityData(_ kind: ResourceKind, _ name: ResourceName) -> [String: [UInt8]]? {
    switch kind {
    case ConfigMap.kind:
      resources.configMaps[name].map { map in
        map.data.mapValues { Array($0.utf8) }.merging(map.binaryData) { text, _ in text }
      }
    case Secret.kind: resources.secrets[name]?.data
    default: nil
    }
  }

  private func settings(_ options: TLSOptions) -> TLSSettings {
    var settings = TLSSettings()
    if let version = options.minimumVersion { settings.minimumVersion = version == .v12 ? .v12 : .v13 }
    if let version = options.maximumVersion { settings.maximumVersion = version == .v12 ? .v12 : .v13 }
    if let ciphers = options.ciphers { settings.ciphers = ciphers }
    if let groups = options.groups { settings.groups = groups }
    return settings
  }

  private mutating func trust(_ path: String, _ lists: String?, _ origin: Origin) throws(Stop) -> TrustStore {
    let authorities = try read(path, origin)
    var revocations: [UInt8]?
    if let lists { revocations = try read(lists, origin) }
    let given = revocations
    return try compile(origin, path) { () throws(TLSFault) in
      try TrustStore(authorities: authorities, revocationLists: given)
    }
  }

  private mutating func read(_ path: String, _ origin: Origin) throws(Stop) -> [UInt8] {
    watchedPaths.insert(path)
    do throws(SystemError) { return try SmallFile.read(path, limit: Self.fileLimit) } catch {
      diagnostics.append(origin.error("\(error)"))
      throw .reported
    }
  }

  private mutating func compile<T>(
    _ origin: Origin, _ what: String? = nil, _ make: () throws(TLSFault) -> T
  ) throws(Stop) -> T {
    do throws(TLSFault) { return try make() } catch {
      diagnostics.append(origin.error(what.map { "\($0): \(error)" } ?? "\(error)"))
      throw .reported
    }
  }
}

extension SubjectMatch {
  /// A SPIFFE trust domain (`spiffe://mesh/*`), a URI, or a DNS name.
  init(_ text: String) {
    if text.hasPrefix("spiffe://"), text.hasSuffix("/*") {
      self = .trustDomain(String(text.dropFirst("spiffe://".count).dropLast(2)))
    } else if text.contains("://") {
      self = .uri(text)
    } else {
      self = .dns(text)
    }
  }
}
