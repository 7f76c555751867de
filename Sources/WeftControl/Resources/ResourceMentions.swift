import WeftConfig
import WeftStore

/// Every word of a resource that could be the name of another one: more than its references, never fewer, and found
/// without knowing what each kind refers to. Kept as hashes: two words with the same one only make a set larger that is
/// checked together.
struct ResourceMentions: Sendable {
  /// The resource's own name.
  let name: UInt64
  let words: [UInt64]
  /// Host names that it claims: whoever claims the same may be in conflict with it.
  let hosts: [UInt64]

  init(_ document: ResourceDocument) {
    var reader = Reader()
    // Nothing refers from these, and they may be long.
    if !["Secret", "ConfigMap"].contains(document.key.kind) {
      for (key, value) in document.value.object ?? [:] where key != "apiVersion" && key != "kind" {
        reader.read(value, under: key, inConfiguration: false)
      }
    }
    name = Self.hash(document.key.name.utf8)
    words = Array(reader.words)
    hosts = Array(reader.hosts)
  }

  /// FNV-1a.
  fileprivate static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
    bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }

  private struct Reader {
    var words: Set<UInt64> = []
    var hosts: Set<UInt64> = []

    mutating func read(_ value: JSONValue, under key: String, inConfiguration: Bool) {
      switch value {
      case .null, .bool, .number: break
      case .string(let text):
        if key == "group" { return }
        if ["hostnames", "hosts", "hostname"].contains(key) { hosts.insert(ResourceMentions.hash(text.utf8)) }
        add(text)
      case .array(let items): for item in items { read(item, under: key, inConfiguration: inConfiguration) }
      case .object(let members):
        for (member, value) in members {
          // A filter's configuration may have names as keys.
          if inConfiguration { add(member) }
          read(value, under: member, inConfiguration: inConfiguration || member == "config")
        }
      }
    }

    /// The words of a text: `reviews` of `http://reviews.prod.svc:8080/x`, and the text as it stands.
    private mutating func add(_ text: String) {
      for word in text.lowercased().utf8.split(whereSeparator: { !Self.isOfName($0) }) where word.count <= 253 {
        let isNumeric = word.allSatisfy { !(UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
        // An address of IPv4, or a number with a fraction.
        if isNumeric, word.contains(UInt8(ascii: ".")) { continue }
        words.insert(ResourceMentions.hash(word))
        words.insert(ResourceMentions.hash(word.prefix { $0 != UInt8(ascii: ".") }))
      }
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
    }
  }
}

/// Which resources a change can concern: what is changed, what it may refer to, what may refer to it, and so on. What is
/// said of any of them depends on nothing outside, so that checking them is as good as checking everything.
struct ChangeScope {
  /// What such a resource means to others stands in no name: ports that gateways share, namespaces that are selected or
  /// opened to each other, policies that hold for a namespace or for all.
  private static let wide: Set<String> = [
    "Gateway", "GatewayClass", "Namespace", "ReferenceGrant", "AuthorizationPolicy", "PeerAuthentication",
    "RequestAuthentication",
  ]
  /// Of these, the ones that others depend on without naming them.
  private static let everywhere: Set<String> = ["GatewayClass", "Namespace", "ReferenceGrant"]

  private var names: Set<UInt64> = []
  private var words: Set<UInt64> = []
  private var hosts: Set<UInt64> = []

  /// - Parameters:
  ///   - changed: what changes, as it is and as it will be.
  ///   - all: everything that is there.
  /// - Returns: what to check, of what is there; nil: everything.
  static func find(
    _ changed: [(key: ResourceKey, mentions: ResourceMentions)], in all: [ResourceKey: ResourceMentions]
  ) -> Set<ResourceKey>? {
    if changed.contains(where: { wide.contains($0.key.kind) }) { return nil }
    var scope = ChangeScope()
    for change in changed { scope.add(change.mentions) }
    var found = Set(changed.map(\.key).filter { all[$0] != nil })
    var rest = all.filter { !found.contains($0.key) }
    var isGrowing = true
    while isGrowing {
      isGrowing = false
      for (key, mentions) in rest where scope.touches(mentions, isPassive: everywhere.contains(key.kind)) {
        rest[key] = nil
        found.insert(key)
        // These are looked at by all, and bring nobody else in.
        if everywhere.contains(key.kind) { continue }
        scope.add(mentions)
        isGrowing = true
      }
      if found.count > all.count / 2, all.count > 100 { return nil }
    }
    return found
  }

  private mutating func add(_ mentions: ResourceMentions) {
    names.insert(mentions.name)
    words.formUnion(mentions.words)
    hosts.formUnion(mentions.hosts)
  }

  private func touches(_ mentions: ResourceMentions, isPassive: Bool) -> Bool {
    isPassive || words.contains(mentions.name) || mentions.words.contains { names.contains($0) }
      || mentions.hosts.contains { hosts.contains($0) }
  }
}
