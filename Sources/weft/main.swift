import WeftCommand

WeftCommandLine.main()
