import WeftConfig
import WeftIO
import WeftRegex
import WeftTLS

/// A condition on one name of a client's certificate.
struct IdentityMatch: Sendable {
  /// Which name is looked at. A certificate may have several of a kind: one that fits is enough.
  enum Kind: String, CaseIterable, Sendable { case spiffeId, uri, dns, email, subject }

  enum Condition: Sendable {
    case exact(String)
    case prefix(String)
    case regex(Pattern)
  }

  let kind: Kind
  let condition: Condition

  /// Conditions that a list may have.
  static let limit = 256

  init(_ reader: ObjectReader) throws {
    kind = reader.enumeration("kind", default: .spiffeId)
    reader.exactlyOne(of: "exact", "prefix", "regex")
    let exact = reader.optionalString("exact", .length(1...2048))
    let prefix = reader.optionalString("prefix", .length(1...2048))
    let regex = reader.optionalString("regex", .length(1...Pattern.lengthLimit))
    if let regex {
      do throws(PatternError) { condition = .regex(try Pattern(regex)) } catch {
        reader.error("regex", "\(error)")
        condition = .exact("")
      }
    } else if let prefix {
      condition = .prefix(kind == .dns ? prefix.lowercased() : prefix)
    } else {
      let text = exact ?? ""
      condition = .exact(kind == .dns ? text.lowercased() : text)
    }
  }

  /// - Parameter onFailure: the answer when a regular expression hits its limits.
  func matches(_ peer: CertificateInfo, _ scratch: borrowing PatternScratch, onFailure: Bool) -> Bool {
    let names: [String] =
      switch kind {
      case .spiffeId: peer.spiffeID.map { [$0] } ?? []
      case .uri: peer.uris
      case .dns: peer.dnsNames
      case .email: peer.emails
      case .subject: [peer.subject]
      }
    for name in names {
      switch condition {
      case .exact(let text): if name == text { return true }
      case .prefix(let text): if name.hasPrefix(text) { return true }
      case .regex(let pattern):
        let bytes = OwnedBytes(name)
        do throws(PatternMatchError) {
          if try pattern.matches(bytes.bytes, scratch: scratch) { return true }
        } catch {
          if onFailure { return true }
        }
      }
    }
    return false
  }
}
