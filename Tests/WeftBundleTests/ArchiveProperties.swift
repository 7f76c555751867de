@testable import WeftBundle

/// What holds for the reader of archives whatever the bytes: shared by the tests and the fuzzer.
enum ArchiveProperties {
  /// What is wrong with how `input` was read; nil when nothing is.
  static func violation(of input: [UInt8]) -> String? {
    let files: [Bundle.Source]
    do throws(BundleArchive.Fault) {
      files = try BundleArchive.read(input)
    } catch {
      if !(0...max(input.count, BundleArchive.sizeLimit)).contains(error.offset) {
        return "a fault at byte \(error.offset) of \(input.count)"
      }
      return error.description.isEmpty ? "a fault without a reason" : nil
    }
    // There is one archive for each content, and it is that which was read.
    if BundleArchive.write(files) != input { return "what was read is written in another way" }
    if files.count > Bundle.Limits.files { return "\(files.count) files" }
    if files.contains(where: { $0.text.count > Bundle.Limits.fileBytes }) { return "a file is too large" }
    if files.reduce(0, { $0 + $1.text.count }) > Bundle.Limits.totalBytes { return "the files are too large" }
    for file in files {
      if let problem = BundleLayout.problem(file.path) { return "\(file.path) \(problem)" }
      if file.path.utf8.contains(0) { return "a path with a zero in it" }
    }
    if Set(files.map { $0.path.lowercased() }).count != files.count { return "two files of one name" }
    return nil
  }
}
