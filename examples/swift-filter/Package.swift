// swift-tools-version: 6.1
import PackageDescription

// A package of its own that adds a filter written in Swift and builds its own `weft` with it. Outside this repository,
// name Weft by its URL instead of its path.
let package = Package(
  name: "weft-stamp",
  platforms: [.macOS(.v15)],
  dependencies: [.package(name: "weft", path: "../..")],
  targets: [
    .executableTarget(
      name: "weft-stamp",
      dependencies: [
        .product(name: "WeftCommand", package: "weft"),
        .product(name: "WeftFilter", package: "weft"),
      ])
  ],
  swiftLanguageModes: [.v6]
)
