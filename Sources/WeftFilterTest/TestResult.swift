/// What became of one test.
public struct TestResult: Sendable {
  public enum Outcome: Sendable {
    case passed
    case failed(TestProblem)
    /// With the reason that was given, which may be empty.
    case skipped(String)
  }

  /// The groups that it is in and its own name: `group > name`.
  public let name: String
  /// Where it stands.
  public let place: TestPlace?
  public let outcome: Outcome
  /// Nanoseconds.
  public let duration: UInt64

  public var problem: TestProblem? {
    if case .failed(let problem) = outcome { problem } else { nil }
  }

  public var isSkipped: Bool {
    if case .skipped = outcome { true } else { false }
  }
}

/// A line of a file, by its path as the user would name it.
public struct TestPlace: Sendable, CustomStringConvertible {
  public let file: String
  public let line: Int

  public var description: String { "\(file):\(line)" }

  /// Reads `tests/a.lua:12`, below `folder`, with the folder's own path before it or without.
  init?(_ text: String, in folder: String) {
    guard let colon = text.lastIndex(of: ":"), let line = Int(text[text.index(after: colon)...]) else { return nil }
    // What the host says of a bundle's files has the folder before them already.
    let path = text.hasPrefix("./") ? text[..<colon].dropFirst(2) : text[..<colon]
    file = path.hasPrefix("\(folder)/") ? String(path) : "\(folder)/\(path)"
    self.line = line
  }
}

/// Why a test failed, or why a file could not be run.
public struct TestProblem: Sendable {
  /// An assertion, or an error that was raised.
  public enum Kind: String, Sendable {
    case failure, error
  }

  public let kind: Kind
  public let message: String
  public internal(set) var place: TestPlace?
  /// As Lua writes the values; nil where there is nothing to compare.
  public let expected: String?
  public let actual: String?
  /// Where they differ, a line each.
  public let differences: [String]
  /// The functions in which an error was raised.
  public let trace: String?
  /// What the filter logged during the test.
  public internal(set) var logs: [String] = []
  /// The lines around `place`.
  public internal(set) var excerpt: [SourceExcerpt.Line] = []

  init(kind: Kind, message: String, place: TestPlace?) {
    self.kind = kind
    self.message = message
    self.place = place
    expected = nil
    actual = nil
    differences = []
    trace = nil
  }

  /// What the library reports.
  init(_ value: LuaValue, in folder: String) {
    kind = value["kind"].text == "failure" ? .failure : .error
    var message = value["message"].text ?? "an error without a message"
    var place = value["place"].text.flatMap { TestPlace($0, in: folder) }
    // Lua's own errors begin with their place.
    if let own = Self.ownPlace(message, in: folder) {
      place = own.place
      message = own.message
    }
    self.message = message
    self.place = place
    expected = value["expected"].text
    actual = value["actual"].text
    differences = value["differences"].items.compactMap(\.text)
    trace = value["trace"].text
  }

  /// `tests/a.lua:12: message`, taken apart.
  static func ownPlace(_ text: String, in folder: String) -> (place: TestPlace, message: String)? {
    let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].hasSuffix(".lua"), !parts[0].contains(" "),
      let place = TestPlace("\(parts[0]):\(parts[1])", in: folder)
    else { return nil }
    return (place, String(parts[2].drop { $0 == " " }))
  }
}

/// What became of one file of tests.
public struct TestFileResult: Sendable {
  /// The bundle's folder, as the user named it.
  public let folder: String
  /// The file's path, as the user would name it.
  public let path: String
  public internal(set) var tests: [TestResult] = []
  /// Why the file could not be run.
  public internal(set) var problem: TestProblem?
  /// Nanoseconds.
  public internal(set) var duration: UInt64 = 0

  public var failures: Int { tests.count { $0.problem != nil } + (problem == nil ? 0 : 1) }
}

/// What became of everything.
public struct TestReport: Sendable {
  public internal(set) var files: [TestFileResult] = []
  /// Folders that could not be tested at all, and why.
  public internal(set) var refusals: [String] = []

  public var tests: [TestResult] { files.flatMap(\.tests) }
  public var failed: Int { files.reduce(0) { $0 + $1.failures } }
  public var skipped: Int { tests.count(where: \.isSkipped) }
  public var passed: Int { tests.count { if case .passed = $0.outcome { true } else { false } } }
  public var duration: UInt64 { files.reduce(0) { $0 + $1.duration } }
  /// Whether everything that was asked for has run and passed.
  public var isSuccess: Bool { failed == 0 && refusals.isEmpty }
}
