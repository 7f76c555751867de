import WeftBundle
import WeftConfig

/// How a FilterBundle's rollout concerns one proxy.
struct RolloutShare {
  let candidate: String
  let mode: BundleRollout.Mode
  private let bundle: String
  private let inForce: Int
  private let isOfRequests: Bool

  /// nil: the bundle is in none.
  init?(_ resource: HeldResource) {
    guard let rollout = resource.content[path: "spec", "rollout"], let candidate = rollout["candidate"]?.string,
      SHA256DigestText.isValid(candidate)
    else { return nil }
    self.candidate = candidate
    bundle = resource.name
    mode = rollout["mode"]?.string == "Shadow" ? .shadow : .canary
    isOfRequests = rollout["by"]?.string == "Requests"
    inForce = min(max(rollout["percent"]?.int ?? 0, 0), 100)
  }

  /// The candidate's share of the requests at a proxy: of a rollout by proxies all or none.
  func percent(proxy: String) -> Int {
    if isOfRequests || inForce == 0 { return inForce }
    return Self.place(proxy, bundle) < UInt64(inForce) * 100 ? 100 : 0
  }

  /// Where a proxy stands among all, 0 to 9999: always the same for one bundle, and another for each bundle, so that not
  /// the same proxies come first every time.
  static func place(_ proxy: String, _ bundle: String) -> UInt64 {
    // FNV-1a, finished as SplitMix64 does, for it spreads short texts badly.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in "\(proxy) \(bundle)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    hash = (hash ^ hash >> 30) &* 0xbf58_476d_1ce4_e5b9
    hash = (hash ^ hash >> 27) &* 0x94d0_49bb_1331_11eb
    return (hash ^ hash >> 31) % 10_000
  }
}
