import ArgumentParser
import Glibc
import WeftFilterTest

struct FilterRunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Show what a Lua bundle does to one request and its response.",
    discussion: """
      Runs the bundle without a network and shows the messages before and after, side by side: ~ changed, - removed, \
      + added. Exit code 1: the filter failed, or the input was wrong.

      Examples:
        weft filter run filters/tenant-tag https://acme.shop.example/cart
        weft filter run filters/body-redact -X POST -H 'content-type: text/plain' -d 'card 4111 1111 1111 1111'
        weft filter run filters/tenant-tag --request request.http --settings '{header: x-customer}'
      """)

  @Argument(help: "Folder of a bundle.")
  var folder: String

  @OptionGroup var input: TrialOptions

  @Flag(help: "As one JSON object.")
  var json = false

  func run() throws {
    let trial = try Findings.orExit(json: json) { try FilterTrial(folder, input.input()) }
    if json {
      Terminal.write(trial.json, to: 1)
    } else {
      Terminal.write(trial.text(width: Self.width, usesColor: Terminal.hasColor(1)), to: 1)
    }
    if trial.error != nil { throw ExitCode(1) }
  }

  /// Columns of the terminal, if there is one.
  private static var width: Int {
    var size = winsize()
    guard isatty(1) == 1, ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col >= 40 else { return 120 }
    return Int(size.ws_col)
  }
}
