// The fuzzer's entry: every input is read as a PROXY protocol header, and the properties that the tests hold the corpus to
// must hold.

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ p: UnsafePointer<UInt8>?, _ n: Int) -> Int32 {
  if let violation = ProxyProtocolProperties.violation(of: Array(UnsafeBufferPointer(start: p, count: n))) {
    fatalError(violation)
  }
  return 0
}
