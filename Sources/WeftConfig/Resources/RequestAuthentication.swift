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
  }

  /// A field of the request that a claim of the verified token is written into.
  public struct ClaimHeader: Sendable, Hashable {
    public let header: String
    public let claim: String
  }

  /// One issuer.
  public struct Rule: Sendable, Hashable {
    public let issuer: String
    /// One of them must be among the token's; none: any token of the issuer.
    public let audiences: [String]
    /// A JSON Web Key Set (RFC 7517), as text.
    public let jwks: String
    public let locations: [Location]
    /// The request keeps the token on its way to the service.
    public let forwardsToken: Bool
    public let claimHeaders: [ClaimHeader]
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
    let headers = reader.objects("outputClaimToHeaders", count: 0...16) { header in
      ClaimHeader(
        header: header.string("header", .headerName).lowercased(), claim: header.string("claim", .length(1...256)))
    }
    for unsupported in ["fromCookies", "outputPayloadToHeader", "timeout"] where reader.has(unsupported) {
      reader.error(unsupported, "is not supported")
    }
    for uri in ["jwksUri", "jwks_uri"] where reader.has(uri) {
      reader.error(
        uri, "keys are not fetched: put the key set that is there into jwks, or use the bundle jwt, which fetches keys")
    }
    for ignored in ["fromCookies", "outputPayloadToHeader", "timeout", "jwksUri", "jwks_uri"] { reader.ignore(ignored) }
    return Rule(
      issuer: reader.string("issuer", .length(1...2_048)),
      audiences: reader.strings("audiences", count: 0...64, .length(1...2_048)),
      jwks: reader.string("jwks", .length(1...262_144)), locations: locations.isEmpty ? standardLocations : locations,
      forwardsToken: reader.bool("forwardOriginalToken", default: false), claimHeaders: headers,
      origin: Origin(reader.node))
  }
}
