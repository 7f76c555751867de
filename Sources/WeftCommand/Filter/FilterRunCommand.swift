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
    let trial = try Output.orExit { try FilterTrial(folder, input.input()) }
    if json {
      Output.write(trial.json)
    } else {
      let isTerminal = isatty(1) == 1
      Output.write(trial.text(width: isTerminal ? Self.terminalWidth : 120, usesColor: isTerminal))
    }
    if trial.error != nil { throw ExitCode(1) }
  }

  private static var terminalWidth: Int {
    var size = winsize()
    guard ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col >= 40 else { return 120 }
    return Int(size.ws_col)
  }
}
