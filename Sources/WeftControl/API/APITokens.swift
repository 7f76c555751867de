import Crypto
import Foundation
import WeftConfig
import WeftStore

/// Bearer tokens of the API. Only a hash of each is kept: a token is shown once, when it is made.
public struct APITokens: Sendable {
  static let prefix = "/control/tokens/api/"
  /// Tokens at most.
  static let limit = 1_000

  /// What is known of a token.
  public struct Token: Sendable, Hashable {
    public let id: String
    public let name: String
    public let role: APIRole
    public let createdBy: String
    public let created: String
    /// Seconds since the Unix epoch; nil: it does not end.
    public let expires: Int?
    let hash: String
    let revision: Revision

    var json: JSONValue {
      var value: JSONValue = [
        "id": .string(id), "name": .string(name), "role": .string(role.rawValue), "created": .string(created),
        "createdBy": .string(createdBy),
      ]
      if let expires { value["expires"] = .number("\(expires)") }
      return value
    }

    init?(_ entry: Entry) {
      guard let bytes = entry.value, let value = try? JSONValue(parsing: bytes), let id = value["id"]?.string,
        let role = value["role"]?.string.flatMap(APIRole.init), let hash = value["hash"]?.string
      else { return nil }
      self.id = id
      self.role = role
      self.hash = hash
      name = value["name"]?.string ?? id
      createdBy = value["createdBy"]?.string ?? ""
      created = value["created"]?.string ?? ""
      expires = value["expires"]?.int
      revision = entry.modified
    }

    func isExpired(at time: Date) -> Bool { expires.map { Double($0) <= time.timeIntervalSince1970 } ?? false }
  }

  let store: any Store
  let now: @Sendable () -> Date

  public init(_ store: any Store, now: @escaping @Sendable () -> Date = { Date() }) {
    self.store = store
    self.now = now
  }

  /// Whether there is any token, so that the API asks for one.
  public func exist() async throws(StoreError) -> Bool {
    try await !store.list(prefix: Self.prefix, after: nil, limit: 1, at: nil).entries.isEmpty
  }

  public func all() async throws(StoreError) -> [Token] {
    try await store.list(prefix: Self.prefix, after: nil, limit: Self.limit, at: nil).entries.compactMap(Token.init)
  }

  /// The token that a client presents; nil when there is none such, or it has ended.
  func verify(_ text: String) async throws(StoreError) -> Token? {
    // weft_ID_SECRET
    let parts = text.split(separator: "_", maxSplits: 2, omittingEmptySubsequences: false)
    guard text.utf8.count <= 200, parts.count == 3, parts[0] == "weft", Self.isID(parts[1]) else { return nil }
    guard let entry = try await store.get(Self.prefix + parts[1], at: nil), let token = Token(entry) else { return nil }
    // Both are hashes, of which an attacker who measures time learns nothing; compared without a shortcut all the same.
    let given = Self.hash(text)
    guard given.utf8.count == token.hash.utf8.count else { return nil }
    let difference = zip(given.utf8, token.hash.utf8).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) }
    return difference == 0 && !token.isExpired(at: now()) ? token : nil
  }

  /// Makes a token. The first one must be an administrator's, for from then on nothing is done without a token.
  /// - Returns: the token's text, which is not kept.
  func create(name: String, role: APIRole, lifetime: Int?, by author: Author) async throws -> (text: String, Token) {
    let present = try await all()
    if present.count >= Self.limit {
      throw APIProblem(.conflict, "there are \(present.count) tokens already; revoke some")
    }
    guard (1...100).contains(name.utf8.count), name.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
      throw APIProblem(.unprocessableContent, "a token's name has 1 to 100 printable characters without spaces")
    }
    if present.contains(where: { $0.name == name }) {
      throw APIProblem(.conflict, "there is a token named \(name); revoke it, or choose another name")
    }
    if !present.contains(where: { $0.role == .admin && $0.expires == nil }) {
      guard role == .admin, lifetime == nil else {
        throw APIProblem(
          .unprocessableContent,
          "the first token must have the role admin and no end, for the API asks for tokens once there is one")
      }
    }
    let id = Self.random(bytes: 6)
    let text = "weft_\(id)_\(Self.random(bytes: 32))"
    let time = now()
    var value: JSONValue = [
      "id": .string(id), "name": .string(name), "role": .string(role.rawValue), "hash": .string(Self.hash(text)),
      "created": .string(ResourceDocument.timestamp(time)), "createdBy": .string(author.name),
    ]
    if let lifetime { value["expires"] = .number("\(Int(time.timeIntervalSince1970) + lifetime)") }
    let key = Self.prefix + id
    let audit = AuditLog.entry(
      "token create", by: author, at: time,
      [.init(subject: ["token": .string(name), "role": .string(role.rawValue)], outcome: "created", differences: [])])
    let revision = try await store.commit(
      Transaction(when: [.absent(key)], [.put(key, Array(value.text.utf8), lease: nil), audit]))
    guard let token = Token(Entry(key: key, value: Array(value.text.utf8), created: revision, modified: revision))
    else { throw APIProblem(.internalServerError, "the token was not understood") }
    return (text, token)
  }

  /// Ends a token. The last administrator's goes last of all, for without it nobody could make another.
  func revoke(_ nameOrID: String, by author: Author) async throws -> Token {
    let present = try await all()
    guard let token = present.first(where: { $0.id == nameOrID || $0.name == nameOrID }) else {
      throw APIProblem(.notFound, "no token named \(nameOrID.prefix(100))")
    }
    let others = present.filter { $0.id != token.id }
    if !others.isEmpty, !others.contains(where: { $0.role == .admin && $0.expires == nil }) {
      throw APIProblem(
        .conflict, "\(token.name) is the last token of an administrator: make another one, or revoke the others first")
    }
    let key = Self.prefix + token.id
    let audit = AuditLog.entry(
      "token revoke", by: author, at: now(),
      [
        .init(
          subject: ["token": .string(token.name), "role": .string(token.role.rawValue)], outcome: "deleted",
          differences: [])
      ])
    try await store.commit(Transaction(when: [.unchanged(key, since: token.revision)], [.delete(key), audit]))
    return token
  }

  private static func isID(_ text: Substring) -> Bool {
    (1...16).contains(text.utf8.count)
      && text.utf8.allSatisfy {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
      }
  }

  private static func random(bytes count: Int) -> String {
    SymmetricKey(size: SymmetricKeySize(bitCount: count * 8)).withUnsafeBytes(hex)
  }

  private static func hash(_ text: String) -> String { hex(Data(SHA256.hash(data: Data(text.utf8)))) }

  private static func hex(_ bytes: some Sequence<UInt8>) -> String {
    bytes.reduce(into: "") { text, byte in
      if byte < 16 { text += "0" }
      text += String(byte, radix: 16)
    }
  }
}
