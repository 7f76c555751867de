import WeftMeshCommand

WeftMeshCommandLine.main()
