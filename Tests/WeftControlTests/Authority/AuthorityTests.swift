import Foundation
import Logging
import Testing
import WeftIdentity
import WeftStore

@testable import WeftControl

@Suite struct AuthorityTests {
  private let log = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

  @Test func isTheSameForAllReplicas() async throws {
    let folder = try TemporaryFolder()
    let store = try await SQLiteStore(folder: folder.path)
    let key = SealingKey()
    let options = Authority.Options()
    // All at once, on an empty store.
    let log = log
    let authorities = try await withThrowingTaskGroup(of: Authority.self) { group in
      for _ in 0..<5 { group.addTask { try await Authority(store, sealing: key, options: options, log: log) } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    var fingerprints: Set<[String]> = []
    for authority in authorities { fingerprints.insert(await authority.trust.fingerprints) }
    #expect(fingerprints.count == 1)
    let (text, token) = try await authorities[0].issueToken(
      namespace: "default", name: "a", kind: .sidecar, use: .once, lifetime: 60)
    #expect(try await authorities[4].verify(token: text).id == token.id)

    // What one changes the others follow.
    let following = authorities[1...].map { authority in Task { await authority.run() } }
    let new = try await authorities[0].rotateRoot()
    try await authorities[2].revoke(namespace: "default", name: "a", by: "test", reason: "")
    for authority in authorities[1...] {
      #expect(try await eventually { await authority.trust.fingerprints.contains(new) })
      #expect(
        try await eventually { await authority.isRevoked(token.workload, issued: token.issued) })
    }
    for task in following { task.cancel() }
    await store.close()
  }

  @Test func saysWhatIsWrong() async throws {
    let folder = try TemporaryFolder()
    let store = try await SQLiteStore(folder: folder.path)
    let key = SealingKey()
    _ = try await Authority(store, sealing: key, options: Authority.Options(), log: log)
    await #expect(throws: IdentityError.self) {
      try await Authority(store, sealing: SealingKey(), options: Authority.Options(), log: log)
    }
    await #expect(throws: IdentityError.self) {
      try await Authority(store, sealing: key, options: Authority.Options(trustDomain: "other.example"), log: log)
    }
    await #expect(throws: IdentityError.self) {
      try await Authority(store, sealing: key, options: Authority.Options(trustDomain: "Not A Domain"), log: log)
    }
    // Nothing secret lies in the store as it is.
    let value = try #require(try await store.get(AuthorityRecord.key, at: nil)?.value)
    #expect(!String(decoding: value, as: UTF8.self).contains("PRIVATE KEY"))
    await store.close()
  }

  @Test func takesAnAuthorityOfItsOperator() async throws {
    let folder = try TemporaryFolder()
    let store = try await SQLiteStore(folder: folder.path)
    let key = SealingKey()
    let first = try await Authority(store, sealing: key, options: Authority.Options(), log: log)
    let own = await first.trust.fingerprints
    let theirs = try CertificateAuthority.makeRoot(trustDomain: "cluster.local")
    let options = Authority.Options(imported: (theirs.chainPEM, try theirs.keyPEM))
    for _ in 0..<2 {
      // A rotation at the first time, nothing at the second.
      let second = try await Authority(store, sealing: key, options: options, log: log)
      #expect(await second.trust.fingerprints == own + [theirs.root.fingerprint])
    }
    await store.close()
  }

  @Test func rotatesByTime() {
    func root(_ id: String) -> AuthorityRecord.Root {
      AuthorityRecord.Root(id: id, chain: "", sealedKey: "", trustedSince: 0, signsFrom: 0)
    }
    var record = AuthorityRecord(trustDomain: "d", roots: [root("a")], tokenKeys: [])
    func trusted(_ now: Double) -> [String] { record.trusted(at: now).map(\.id) }
    record.rotate(to: root("b"), overlap: 100, now: 1_000)
    #expect(trusted(1_000) == ["a", "b"] && trusted(1_099) == ["a", "b"])
    #expect(trusted(1_100) == ["b", "a"] && trusted(1_199) == ["b", "a"])
    #expect(trusted(1_200) == ["b"])
    // Again before the first rotation is over.
    record.rotate(to: root("c"), overlap: 100, now: 1_050)
    #expect(trusted(1_050) == ["a", "b", "c"] && trusted(1_149) == ["b", "a", "c"])
    #expect(trusted(1_150) == ["c", "a", "b"] && trusted(1_250) == ["c"])
    record.rotate(to: root("d"), overlap: 100, now: 2_000)
    #expect(record.roots.map(\.id) == ["c", "d"])
  }

  @Test func keepsItsKeyInAFile() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/ca.key-file"
    #expect(throws: IdentityError.self) { try KeyFile.open(path, isNew: false) }
    let key = try KeyFile.open(path, isNew: true)
    #expect(try KeyFile.open(path, isNew: false).text == key.text)
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    #expect((attributes[.posixPermissions] as? Int) == 0o600)
    chmod(path, 0o644)
    #expect(throws: IdentityError.self) { try KeyFile.open(path, isNew: false) }
    chmod(path, 0o600)
    try "nonsense".write(toFile: path, atomically: false, encoding: .utf8)
    #expect(throws: IdentityError.self) { try KeyFile.open(path, isNew: true) }
  }
}
