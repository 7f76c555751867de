// The fuzzer's entry: every input is read as a bundle's archive, and the properties that the tests hold the corpus to must
// hold. What does not is a crash, which is what the fuzzer looks for.

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ p: UnsafePointer<UInt8>?, _ n: Int) -> Int32 {
  let input = Array(UnsafeBufferPointer(start: p, count: n))
  if let violation = ArchiveProperties.violation(of: input) { fatalError(violation) }
  return 0
}
