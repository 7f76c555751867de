/// How many elements a list may have. Where the Gateway API's own bound only protects the Kubernetes API server, more
/// is accepted here; a mistaken or hostile file still meets an end.
enum Bounds {
  static let parents = 0...128
  static let hostnames = 0...1024
  static let rules = 1...10_000
  static let matches = 0...1024
  static let conditions = 0...64
  static let filters = 0...64
  static let backends = 0...256
  static let headers = 0...64
  static let listeners = 1...1024
  static let addresses = 0...64
  static let certificates = 0...64
  static let routeKinds = 0...8
  static let corsEntries = 0...256
  static let grants = 1...256
  static let endpoints = 0...10_000
  static let accessLogs = 0...16
  static let trustedKeys = 64
  static let weight = 0...1_000_000
  static let port = 1...65535
  static let authorizationRules = 0...512
  static let authorizationEntries = 0...256
  static let authorizationValues = 1024
}
