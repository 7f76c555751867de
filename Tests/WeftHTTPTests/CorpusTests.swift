import Testing
import WeftHTTP

@Suite struct CorpusTests {
  @Test(arguments: CorpusFile.requests)
  func requestIsAccepted(_ file: CorpusFile) {
    #expect(parseRequest(file.bytes).headLength != nil, "\(parseRequest(file.bytes).outcome)")
  }

  @Test(arguments: CorpusFile.refusedRequests)
  func requestIsRefused(_ file: CorpusFile) {
    let fault = parseRequest(file.bytes).fault
    #expect(fault.map { "\($0.code)" } == file.code)
  }

  @Test(arguments: CorpusFile.responses)
  func responseIsAccepted(_ file: CorpusFile) {
    let parsed = parse(file.bytes, arrivals: [file.bytes.count], to: .get, limits: HTTPLimits())
    #expect(parsed.headLength != nil, "\(parsed.outcome)")
  }

  @Test(arguments: CorpusFile.refusedResponses)
  func responseIsRefused(_ file: CorpusFile) {
    let parsed = parse(file.bytes, arrivals: [file.bytes.count], to: .get, limits: HTTPLimits())
    #expect(parsed.fault.map { "\($0.code)" } == file.code)
  }

  @Test(arguments: CorpusFile.bodies)
  func bodyIsAccepted(_ file: CorpusFile) {
    let tracked = TrackedBody(file.bytes, .chunked, arrivals: [file.bytes.count])
    var isComplete = false
    if case .complete = tracked.end { isComplete = true }
    #expect(isComplete, "\(tracked)")
  }

  @Test(arguments: CorpusFile.refusedBodies)
  func bodyIsRefused(_ file: CorpusFile) {
    let tracked = TrackedBody(file.bytes, .chunked, arrivals: [file.bytes.count])
    var fault: HTTPParseError?
    if case .malformed(let found) = tracked.end { fault = found }
    #expect(fault.map { "\($0.code)" } == file.code)
  }

  @Test func everyFaultHasAFile() {
    let refused = CorpusFile.refusedRequests + CorpusFile.refusedResponses + CorpusFile.refusedBodies
    let covered = Set(refused.map(\.code))
    let faults = HTTPParseError.allCases.map { "\($0.code)" }
    #expect(Set(faults).count == faults.count)
    #expect(Set(faults).subtracting(covered).isEmpty)
    #expect(covered.subtracting(faults).isEmpty)
  }

  @Test(arguments: CorpusFile.all)
  func propertiesHold(_ file: CorpusFile) {
    #expect(CodecProperties.violation(of: file.bytes) == nil)
    #expect(CodecProperties.violation(of: file.bytes, limits: CodecProperties.tightLimits) == nil)
  }

  @Test(arguments: CorpusFile.proxyProtocol)
  func headersOfTheProxyProtocolKeepTheirProperties(_ file: CorpusFile) {
    // Every beginning of it, too.
    for count in 0...file.bytes.count {
      #expect(ProxyProtocolProperties.violation(of: Array(file.bytes[..<count])) == nil)
    }
  }
}
