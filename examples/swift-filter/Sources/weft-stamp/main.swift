import WeftCommand

// All of Weft, with one filter type more.
WeftCommandLine.main { $0.register(Stamp.self) }
