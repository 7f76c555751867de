import WeftHTTP
import WeftIO

/// The memory of an `AuthorizationSet`: trivial structs that refer to each other by index.
struct AuthorizationStorage {
  struct Span {
    var start: Int32
    var end: Int32
  }

  /// A value of a policy, and how it is compared with one of a request.
  struct Pattern {
    enum Kind: UInt8 {
      case exact, prefix, suffix
      /// Any value but an empty one.
      case present
      /// `text` counts in `pieces`.
      case template
      /// `number` is the value.
      case number
    }

    var kind: Kind
    var text: Span
    /// Of a host: the port, 0 for any.
    var number: Int32 = 0
  }

  /// A part of a path template.
  struct Piece {
    enum Kind: UInt8 { case text, element, rest }

    var kind: Kind
    var text: Span
  }

  /// One attribute that is asked about.
  struct Matcher {
    enum Kind: UInt8 {
      case principal, namespace, serviceAccount, sourceIP, remoteIP, destinationIP, destinationPort, serverName
      case host, method, path, header
      // Of a verified token.
      case requestPrincipal, requestAudiences, requestPresenter
      /// `header` counts in `claims`.
      case claim
    }

    var kind: Kind
    /// It holds where no value fits.
    var isNegated: Bool
    /// Of several values that a request has, or spellings of one, any that fits counts, and not only all together.
    /// What denies asks for any, what allows for all; the other way round where it is negated.
    var asksAny: Bool
    /// In `patterns`, or in `networks`.
    var values: Span
    /// In `headers`, or in `claims`.
    var header: Int32 = 0
  }

  /// Each span of groups holds where it is empty or one of its groups does; a group holds when all its matchers do.
  struct Rule {
    var sources: Span
    var operations: Span
    /// Matchers.
    var conditions: Span
  }

  struct Policy {
    var rules: Span
    /// In the snapshot's list.
    var number: Int32
  }

  let text: OwnedBytes
  let patterns: FlatArray<Pattern>
  let pieces: FlatArray<Piece>
  let networks: FlatArray<CIDR>
  let headers: FlatArray<HeaderName>
  /// Paths of claims.
  let claims: [[String]]
  let matchers: FlatArray<Matcher>
  let groups: FlatArray<Span>
  let rules: FlatArray<Rule>
  let policies: FlatArray<Policy>

  func deallocate() {
    patterns.deallocate()
    pieces.deallocate()
    networks.deallocate()
    headers.deallocate()
    matchers.deallocate()
    groups.deallocate()
    rules.deallocate()
    policies.deallocate()
  }
}
