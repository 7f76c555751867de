import ArgumentParser
import WeftFilterTest

struct FilterBenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure what calls of a Lua bundle cost.",
    discussion: """
      Sends one request through the bundle again and again, without a network, and gives for each function of the bundle \
      the time of a call, the Lua memory that it makes and, where the system counts them, its instructions: medians over \
      batches, after a warm-up. Use a release build.

      Examples:
        weft filter bench filters/tenant-tag https://acme.shop.example/
        weft filter bench filters/body-redact --response page.http --seconds 5
      """)

  @Argument(help: "Folder of a bundle.")
  var folder: String

  @OptionGroup var input: TrialOptions

  @Option(help: "How long to measure.")
  var seconds: Double = 2

  @Flag(help: "As one JSON object.")
  var json = false

  func validate() throws {
    if !(0.1...600).contains(seconds) { throw ValidationError("--seconds takes 0.1 to 600") }
  }

  func run() throws {
    let timing = try Findings.orExit(json: json) { try FilterTiming(folder, input.input(), seconds: seconds) }
    Terminal.write(json ? timing.json : timing.text(usesColor: Terminal.hasColor(1)), to: 1)
    if timing.error != nil { throw ExitCode(1) }
  }
}
