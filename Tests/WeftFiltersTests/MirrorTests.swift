import Testing
import WeftFilter
import WeftFilters

@Suite struct MirrorTests {
  @Test func everyRequestIsCopied() throws {
    let bench = try bench(Mirror.self, "backendRef: {name: shadow, port: 80}")
    for _ in 0..<10 { #expect(try bench.request().mirrors == ["default/shadow:80"]) }
    #expect(bench.metric("weft_filter_mirrored_requests_total", ["mirror"]) == 10)
  }

  @Test func otherNamespacesAndNoPort() throws {
    let bench = try bench(Mirror.self, "backendRef: {name: shadow, namespace: test, kind: Service, group: weft.dev}")
    #expect(try bench.request().mirrors == ["test/shadow"])
  }

  @Test(arguments: [
    ("percent: 25", 0.25), ("percent: 0.5", 0.005), ("fraction: {numerator: 2, denominator: 3}", 0.667),
  ])
  func aShareIsCopied(share: String, expected: Double) throws {
    let bench = try bench(Mirror.self, "backendRef: {name: shadow}\n\(share)")
    var copies = 0
    for _ in 0..<20_000 where try !bench.request().mirrors.isEmpty { copies += 1 }
    // Five standard deviations.
    let tolerance = 5 * (expected * (1 - expected) / 20_000).squareRoot()
    #expect(abs(Double(copies) / 20_000 - expected) < tolerance)
  }

  @Test(arguments: ["percent: 0", "fraction: {numerator: 0}"])
  func noneIsCopied(share: String) throws {
    let bench = try bench(Mirror.self, "backendRef: {name: shadow}\n\(share)")
    for _ in 0..<100 { #expect(try bench.request().mirrors == []) }
  }

  @Test func severalMirrors() throws {
    let bench = FilterBench()
    try bench.add(Mirror.self, "backendRef: {name: one}")
    try bench.add(Mirror(to: ServiceReference("default/two"), bench.context("two")))
    #expect(try bench.request().mirrors == ["default/one", "default/two"])
  }

  @Test(arguments: [
    ("{}", "backendRef: is missing; it must be given"),
    ("backendRef: {name: none}", "backendRef.name: no Service named \"none\""),
    ("backendRef: {name: shadow, port: 81}", "backendRef.name: no Service named \"shadow\" with port 81"),
    (
      "backendRef: {name: shadow, group: apps, kind: Deployment}",
      "backendRef.kind: refers to apps Deployment; only a Service can be mirrored to"
    ),
    ("backendRef: {name: shadow}\npercent: 101", "percent: 101.0 is out of range; allowed are 0.0 to 100.0"),
    (
      "backendRef: {name: shadow}\npercent: 1\nfraction: {numerator: 1}",
      "fraction: cannot stand together with \"percent\"; keep one of them"
    ),
    (
      "backendRef: {name: shadow}\nfraction: {numerator: 5, denominator: 4}",
      "fraction.numerator: 5 is greater than the denominator 4"
    ),
  ])
  func mistakesAreNamed(yaml: String, finding: String) {
    let found = findings(Mirror.self, yaml, services: ["default/shadow"])
    #expect(found.contains(finding), "\(found)")
  }
}
