/// `RequestAuthentication`, of `weft.dev/v1` or Istio's `security.istio.io`: whose tokens (JWT, RFC 7519) requests may
/// carry. A request with a token that is not good is refused; one without is let through as nobody's, for
/// AuthorizationPolicies to decide.
public struct RequestAuthentication: Resource, ScopedPolicy {
  public static let kind = ResourceKind(group: ResourceKind.weft, kind: "RequestAuthentication")
  /// The same kind under the group that existing manifests have.
  public static let alias = ResourceKind(group: ResourceKind.istioSecurity, kind: "RequestAuthentication")
  public static let versions = ["v1", "v1beta1"]

  /// Where a request carries a token.
  public enum Location: Sendable, Hashable {
    /// A field whose value is the token behind `prefix`.
    case header(name: String, prefix: String)
    /// A parameter of the query.
    case parameter(String)
    case cookie(String)
  }

  /// A field of the request that a claim of the verified token is written into.
  public struct ClaimHeader: Sendable, Hashable {
    public let header: String
    public let claim: String
  }

  /// The keys of an issuer.
  public enum Keys: Sendable, Hashable {
    /// A JSON Web Key Set (RFC 7517), as text.
    case inline(String)
    /// Fetched, each time within `timeout`.
    case remote(KeySetLocation, timeout: ConfigDuration)
  }

  /// One issuer.
  public struct Rule: Sendable, Hashable {
    public let issuer: String
    /// One of them must be among the token's; none: any token of the issuer.
    public let audiences: [String]
    public let keys: Keys
    public let locations: [Location]
    /// The request keeps the token on its way to the service.
    public let forwardsToken: Bool
    public let claimHeaders: [ClaimHeader]
    /// The field that the token's claims are written into, as base64url; nil: none.
    public let payloadHeader: String?
    public let origin: Origin
  }

  public let metadata: ResourceMetadata
  public let origin: Origin
  public let selector: [String: String]?
  public let targets: [PolicyTarget]
  public let rules: [Rule]

  /// Where RFC 6750 has a token.
  private static let standardLocations: [Location] = [
    .header(name: "authorization", prefix: "Bearer "), .parameter("access_token"),
  ]

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    let spec = reader.object("spec")
    selector = spec.optionalObject("selector") { $0.stringMap("matchLabels") }
    targets = PolicyTarget.list(spec)
    rules = spec.objects("jwtRules", count: 0...64, RequestAuthentication.rule)
    spec.atMostOne(of: "selector", "targetRefs", "targetRef")
  }

  private static func rule(_ reader: ObjectReader) -> Rule {
    var locations = reader.objects("fromHeaders", count: 0...16) { header in
      Location.header(
        name: header.string("name", .headerName).lowercased(),
        prefix: header.string("prefix", .length(0...64), default: ""))
    }
    locations += reader.strings("fromParams", count: 0...16, .length(1...128)).map { .parameter($0) }
    locations += reader.strings("fromCookies", count: 0...16, .cookieName).map { .cookie($0) }
    let headers = reader.objects("outputClaimToHeaders", count: 0...16) { header in
      ClaimHeader(
        header: header.string("header", .headerName).lowercased(), claim: header.string("claim", .length(1...256)))
    }
    return Rule(
      issuer: reader.string("issuer", .length(1...2_048)),
      audiences: reader.strings("audiences", count: 0...64, .length(1...2_048)), keys: keys(reader),
      locations: locations.isEmpty ? standardLocations : locations,
      forwardsToken: reader.bool("forwardOriginalToken", default: false), claimHeaders: headers,
      payloadHeader: reader.optionalString("outputPayloadToHeader", .headerName)?.lowercased(),
      origin: Origin(reader.node))
  }

  private static func keys(_ reader: ObjectReader) -> Keys {
    reader.atMostOne(of: "jwks", "jwksUri", "jwks_uri")
    let text = reader.optionalString("jwks", .length(1...262_144))
    let timeout = reader.duration("timeout", in: .milliseconds(100)...ConfigDuration.minutes(1), default: .seconds(5))
    // Older manifests have the second spelling.
    let locations = ["jwksUri", "jwks_uri"].compactMap { name in
      reader.optional(name) { node in
        let location = try KeySetLocation(node)
        if !location.isTLS && !location.isLocal {
          reader.warn(
            name, "whoever can change plain HTTP on its way can put keys of his own into the answer; use https")
        }
        return location
      }
    }
    if let location = locations.first { return .remote(location, timeout: timeout) }
    if !["jwks", "jwksUri", "jwks_uri"].contains(where: reader.has) {
      reader.error("jwksUri", "is missing: give the address of the issuer's key set, or the key set itself in jwks")
    }
    return .inline(text ?? "")
  }
}

extension StringRule {
  /// A cookie's name (RFC 6265 section 4.1.1).
  static let cookieName = StringRule(
    "a cookie's name has 1 to 128 letters, digits and !#$%&'*+-.^_`|~",
    { (1...128).contains($0.utf8.count) && $0.utf8.allSatisfy(HTTPToken.isTokenByte) })
}
