import CLuaTest
import WeftBundle
import WeftFilter
import WeftIO
import WeftLua

/// One file of tests, loaded into a Lua state of its own, and its tests run one after the other.
final class TestFileRun {
  private let folder: TestFolder
  private let path: String
  private let options: TestOptions
  private let coverage: Coverage?
  private var world: TestWorld?
  /// Of the tests' own state: kept at the time that the filter has.
  private var clock: UnsafeMutablePointer<WorkerClock>?

  /// The library's name among the files; the host's `testing.c` leaves it out of places.
  private static let library = "weft-test.lua"
  /// Bytes of a state with tests.
  private static let memory = 256 << 20

  init(_ folder: TestFolder, _ path: String, _ options: TestOptions, _ coverage: Coverage?) {
    self.folder = folder
    self.path = path
    self.options = options
    self.coverage = coverage
  }

  /// - Parameter stops: asked after each test whether to leave out those that follow.
  func run(stops: (TestResult) -> Bool) -> TestFileResult {
    var result = TestFileResult(folder: folder.path, path: "\(folder.path)/\(path)")
    let start = MonotonicTime.nanoseconds()
    run(&result, stops)
    result.duration = MonotonicTime.nanoseconds() - start
    return result
  }

  private func run(_ result: inout TestFileResult, _ stops: (TestResult) -> Bool) {
    let driver: LuaDriver
    let tests: [LuaValue]
    do {
      let bridge = LuaBridge { [unowned self] operation, argument in
        guard let world else { throw TestWorld.Mistake("this is for tests: there is no filter outside of one") }
        defer { if let clock = self.clock { clock.pointee = world.bench.worker.clock.pointee } }
        return try world.answer(operation, LuaValue(tape: argument)).tape
      }
      let text = wl_test_library()
      let library = Bundle.Source(
        path: Self.library, text: Array(UnsafeBufferPointer(start: text.base, count: text.count)))
      driver = try LuaDriver(
        entry: Self.library, files: [library] + folder.bundle.sources + folder.testFiles, memory: Self.memory,
        clock: FilterBench().worker.clock.pointee, bridge: bridge)
      clock = driver.clock
      let loaded = LuaValue(tape: try driver.call("load", LuaValue.text(path).tape, cpu: options.cpu))
      if !loaded["problem"].isNone {
        result.problem = complete(TestProblem(loaded["problem"], in: folder.path))
        return
      }
      tests = loaded["tests"].items
    } catch {
      result.problem = complete(problem(of: error))
      return
    }
    for (i, test) in tests.enumerated() {
      let name = test["name"].text ?? ""
      guard options.selects(name) else { continue }
      let made = run(driver, i + 1, name, test["place"].text.flatMap { TestPlace($0, in: folder.path) })
      result.tests.append(made)
      if stops(made) { return }
    }
  }

  private func run(_ driver: LuaDriver, _ number: Int, _ name: String, _ place: TestPlace?) -> TestResult {
    let start = MonotonicTime.nanoseconds()
    let world = TestWorld(folder, coverage: coverage, cpu: options.cpu)
    self.world = world
    defer { self.world = nil }
    driver.clock.pointee = world.bench.worker.clock.pointee
    var found: TestProblem?
    var skipped: String?
    do {
      let value = LuaValue(tape: try driver.call("run", LuaValue.integer(Int64(number)).tape, cpu: options.cpu))[
        "problem"]
      if value["kind"].text == "skip" {
        skipped = value["message"].text ?? ""
      } else if !value.isNone {
        found = TestProblem(value, in: folder.path)
      }
    } catch {
      found = problem(of: error)
    }
    let outcome: TestResult.Outcome
    if var problem = found {
      problem.place = problem.place ?? place
      problem = complete(problem)
      problem.logs = world.log.lines.filter { !$0.isFailure }.map { "\($0.levelName): \($0.message)" }
      outcome = .failed(problem)
    } else {
      outcome = skipped.map { .skipped($0) } ?? .passed
    }
    return TestResult(name: name, place: place, outcome: outcome, duration: MonotonicTime.nanoseconds() - start)
  }

  /// A limit that was hit, or a mistake in the file.
  private func problem(of error: any Error) -> TestProblem {
    let lines = "\(error)".split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let first = lines.first ?? ""
    let own = TestProblem.ownPlace(first, in: folder.path)
    return TestProblem(kind: .error, message: own?.message ?? first, place: own?.place)
  }

  private func complete(_ problem: TestProblem) -> TestProblem {
    var problem = problem
    guard let place = problem.place else { return problem }
    let inner = String(place.file.dropFirst(folder.path.utf8.count + 1))
    if let source = (folder.testFiles + folder.bundle.sources).first(where: { $0.path == inner }) {
      problem.excerpt = SourceExcerpt.around(place.line, of: source.text)
    }
    return problem
  }
}
