import Testing
import WeftBundle
import WeftConfig
import WeftCrypto

@Suite struct CatalogTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder([
      "one/tag/bundle.yaml": "name: tag\nversion: 1.0.0\n", "one/tag/main.lua": "",
      "two/other/bundle.yaml": "name: other\nversion: 2.0.0\n", "two/other/main.lua": "",
    ])
    try folder.write("two/other-2.0.0.weft", bytes: try Bundle(at: folder.path + "/two/other").archive)
  }

  private func entry(
    _ catalog: BundleCatalog, _ text: String, in namespace: String = "default"
  ) throws -> BundleCatalog.Entry {
    let node = try ConfigNode(yaml: "bundle: \(text)", file: folder.path + "/one/f.yaml")
    return try catalog.bundle(try #require(node["bundle"]), namespace: namespace)
  }

  private func failure(_ catalog: BundleCatalog, _ text: String) -> String {
    do {
      _ = try entry(catalog, text)
      return "no failure"
    } catch {
      return "\(error)".replacing(folder.path + "/", with: "")
    }
  }

  private func catalog(_ trust: BundleTrust = .anybody) -> BundleCatalog {
    BundleCatalog(folders: [folder.path + "/one", folder.path + "/two"], trust: trust)
  }

  @Test func byNameAndByPath() throws {
    let catalog = catalog()
    #expect(try entry(catalog, "tag").bundle.place == folder.path + "/one/tag")
    #expect(try entry(catalog, "./tag").bundle.place == folder.path + "/one/./tag")
    #expect(try entry(catalog, "other").bundle.isArchive == false)
    let packed = try entry(catalog, "other-2.0.0")
    #expect(packed.bundle.isArchive && packed.summary.version == "2.0.0")
    #expect(try entry(catalog, "../two/other-2.0.0.weft").bundle.digest == packed.bundle.digest)
    #expect(failure(catalog, "none") == "one/f.yaml:1: bundle: no bundle named \"none\" in one, two")
  }

  @Test func whatHasAnotherNameIsAnotherBundle() throws {
    try folder.write("one/evil.weft", bytes: try Bundle(at: folder.path + "/two/other").archive)
    #expect(
      failure(catalog(), "evil") == "one/f.yaml:1: bundle: one/evil.weft holds another bundle: other 2.0.0")
  }

  @Test func aFilterBundleIsKnownInItsNamespaceAlone() throws {
    func name(_ namespace: String) -> ResourceName { ResourceName(namespace: namespace, name: "other") }
    let (a, b) = (folder.path + "/two/other-2.0.0.weft", folder.path + "/two/other")
    let catalog = BundleCatalog(
      folders: [folder.path + "/two"], named: [name("a"): a, name("b"): b],
      rollouts: [name("b"): BundleRollout(candidate: a, percent: 10, mode: .canary)])
    let (first, second, third) = (
      try entry(catalog, "other", in: "a"), try entry(catalog, "other", in: "b"), try entry(catalog, "other", in: "c")
    )
    #expect(first.bundle.place == a && first.rollout == nil && first.qualifiedName == "a/other")
    #expect(second.bundle.place == b && second.rollout?.percent == 10 && second.summary.namespace == "b")
    #expect(third.qualifiedName == "other" && third.rollout == nil && third.namespace == nil)
    #expect(failure(catalog, "none").contains("there is no FilterBundle \"default/none\"; push the bundle with"))
    #expect(try entry(catalog, "./../two/other", in: "b").qualifiedName == "other")
  }

  @Test func twoOfOneNameAreNoGuess() throws {
    try folder.write("one/tag.weft", bytes: try Bundle(at: folder.path + "/one/tag").archive)
    #expect(
      failure(catalog(), "tag") == "one/f.yaml:1: bundle: there are both one/tag and one/tag.weft; keep one of them")
  }

  @Test func aRefusalHasThePlaceOfWhoAsks() throws {
    let key = try Ed25519.SigningKey.generate()
    let strict = catalog(BundleTrust(keys: [.init(name: "k", key: key.verifyingKey)], isRequired: true))
    #expect(failure(strict, "tag").hasPrefix("one/f.yaml:1: bundle: one/tag is not signed"))
    #expect(failure(strict, "./tag").hasPrefix("one/f.yaml:1: bundle: one/./tag is not signed"))
    #expect(failure(strict, "other-2.0.0").hasPrefix("one/f.yaml:1: bundle: two/other-2.0.0.weft is not signed"))
    var signatures = BundleSignatures(of: try Bundle(at: folder.path + "/one/tag").digest)
    try signatures.sign(with: key)
    try folder.write("one/tag/bundle.sig", signatures.text)
    #expect(try entry(strict, "tag").summary.signers.map(\.name) == ["k"])
  }

  @Test func whatWasLookedAtIsToBeWatched() throws {
    let catalog = catalog()
    _ = failure(catalog, "none")
    _ = failure(catalog, "./none.weft")
    _ = try entry(catalog, "other-2.0.0")
    let paths = catalog.paths.map { $0.replacing(folder.path + "/", with: "") }
    for path in ["one/none", "two/none.weft", "one/./none.weft", "two/other-2.0.0.weft", "two/other-2.0.0.weft.sig"] {
      #expect(paths.contains(path))
    }
  }
}
