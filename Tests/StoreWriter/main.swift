import Foundation
import WeftStore

// A process for the tests of the store to kill: `StoreWriter FOLDER` commits without end and says on its output what was
// acknowledged, `REVISION KEY` a line. `StoreWriter FOLDER full` writes until a limit on the size of files stands in
// the way, lifts it, and writes again. `StoreWriter FOLDER|http://HOST:PORT measure` says how fast a store is.

func say(_ text: String) {
  let line = Array("\(text)\n".utf8)
  // One write, so that a line is whole or not there.
  if write(1, line, line.count) != line.count { exit(1) }
}

let arguments = CommandLine.arguments
guard arguments.count >= 2 else {
  print("usage: StoreWriter FOLDER [full|measure]")
  exit(2)
}
if arguments.count == 3, arguments[2] == "measure" {
  try await measure(arguments[1])
  exit(0)
}
if arguments.count == 2 { try await writeForEver(arguments[1]) } else { try await fillUp(arguments[1]) }
