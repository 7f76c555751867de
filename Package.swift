// swift-tools-version: 6.1
import PackageDescription

// Layout: each target is one room, and imports point down only. The order below is the order of the rooms, from the
// bottom up; see docs/architecture.md. Compiler flags that SwiftPM forbids in dependencies stay out of this file, so
// that other packages can build on the library products; the Makefile passes them.
let package = Package(
  name: "weft",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "weft", targets: ["weft"]),
    .executable(name: "weft-mesh", targets: ["weft-mesh"]),
    .library(
      name: "WeftFilter", targets: ["WeftFilter", "WeftConfig", "WeftTelemetry", "WeftTLS", "WeftHTTP", "WeftIO"]),
    .library(name: "WeftCommand", targets: ["WeftCommand"]),
    .library(name: "WeftMeshCommand", targets: ["WeftMeshCommand"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    // The control plane, and a proxy's end of the stream to it. Nothing of these is on the data path.
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
    .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
    .package(url: "https://github.com/grpc/grpc-swift-protobuf", from: "2.4.1"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
  ],
  targets: [
    // C libraries, and the few macros and calls that Swift cannot import.
    .target(name: "CLinux"),
    .systemLibrary(name: "CLua", pkgConfig: "lua5.4", providers: [.apt(["liblua5.4-dev"])]),
    .systemLibrary(name: "CAres", pkgConfig: "libcares", providers: [.apt(["libc-ares-dev"])]),
    .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
    .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
    .target(name: "CLuaHost", dependencies: ["CLua"]),
    .target(name: "CLuaTest", exclude: ["test.lua"]),

    // The data plane and what it stands on.
    .target(name: "WeftIO", dependencies: ["CLinux", "CAres"]),
    .target(name: "WeftHTTP", dependencies: ["WeftIO", "CLinux", "CNghttp2"]),
    .target(name: "WeftCrypto", dependencies: ["WeftIO", "COpenSSL"]),
    .target(name: "WeftTLS", dependencies: ["WeftIO", "WeftCrypto", "COpenSSL"]),
    .target(name: "WeftRegex", dependencies: ["WeftIO", "CPCRE2"]),
    .target(name: "WeftConfig", dependencies: ["CYAML", "CPCRE2"]),
    .target(name: "WeftBundle", dependencies: ["WeftIO", "WeftRegex", "WeftCrypto", "WeftConfig"]),
    .target(
      name: "WeftTelemetry",
      dependencies: ["WeftIO", "CLinux", .product(name: "Logging", package: "swift-log")]),
    .target(
      name: "WeftFilter",
      dependencies: [
        "WeftIO", "WeftHTTP", "WeftTLS", "WeftConfig", "WeftBundle", "WeftTelemetry",
        .product(name: "Logging", package: "swift-log"),
      ]),
    .target(name: "WeftFilters", dependencies: ["WeftFilter", "WeftTLS", "WeftRegex", "CZlib", "CLinux"]),
    .target(
      name: "WeftLua",
      dependencies: ["WeftFilter", "WeftBundle", "WeftCrypto", "WeftTLS", "WeftRegex", "CLua", "CLuaHost", "CLinux"]),
    .target(
      name: "WeftProxy",
      dependencies: [
        "WeftIO", "WeftHTTP", "WeftTLS", "WeftCrypto", "WeftRegex", "WeftConfig", "WeftBundle", "WeftTelemetry",
        "WeftFilter", "CLinux",
        .product(name: "Logging", package: "swift-log"),
      ]),

    // Runs bundles without a network: their tests, one request, measurements.
    .target(
      name: "WeftFilterTest",
      dependencies: [
        "WeftFilter", "WeftLua", "WeftBundle", "WeftConfig", "WeftCrypto", "WeftTLS", "WeftRegex", "CLuaHost",
        "CLuaTest",
        .product(name: "Logging", package: "swift-log"),
      ]),

    // The control plane: what it and proxies say to each other, and its store.
    .target(
      name: "WeftProtocol",
      dependencies: [
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ]),
    .target(
      name: "WeftStore",
      dependencies: [
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCNIOTransportHTTP2", package: "grpc-swift-nio-transport"),
        .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
        .product(name: "Logging", package: "swift-log"),
      ]),

    // Certificates and join tokens; the control plane; a proxy's agent.
    .target(
      name: "WeftIdentity",
      dependencies: [
        .product(name: "X509", package: "swift-certificates"),
        .product(name: "SwiftASN1", package: "swift-asn1"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "JWTKit", package: "jwt-kit"),
      ]),
    .target(
      name: "WeftControl",
      dependencies: [
        "WeftIO", "WeftProtocol", "WeftStore", "WeftIdentity", "WeftConfig", "WeftBundle",
        .product(name: "X509", package: "swift-certificates"),
        .product(name: "SwiftASN1", package: "swift-asn1"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCNIOTransportHTTP2", package: "grpc-swift-nio-transport"),
        .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdTLS", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
      ]),
    .target(
      name: "WeftMesh",
      dependencies: [
        "WeftProtocol", "WeftIdentity", "WeftConfig", "WeftBundle", "WeftProxy", "WeftTelemetry", "WeftIO",
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCNIOTransportHTTP2", package: "grpc-swift-nio-transport"),
        .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "X509", package: "swift-certificates"),
        .product(name: "SwiftASN1", package: "swift-asn1"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "Logging", package: "swift-log"),
      ]),

    // The command line. Libraries, so that a package with filters of its own builds its own `weft`. Whatever needs the
    // control plane's libraries is apart: they would double the memory that a proxy starts with.
    .target(
      name: "WeftCommand",
      dependencies: [
        "WeftProxy", "WeftFilters", "WeftLua", "WeftFilterTest", "WeftBundle", "WeftCrypto", "WeftIO",
        "WeftConfig", "WeftTelemetry",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .target(
      name: "WeftMeshCommand",
      dependencies: [
        "WeftCommand", "WeftControl", "WeftStore", "WeftMesh", "WeftIdentity", "WeftProxy", "WeftFilter",
        "WeftFilterTest", "WeftBundle", "WeftConfig", "WeftTelemetry", "WeftIO",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
      ]),
    .executableTarget(name: "weft", dependencies: ["WeftCommand"]),
    .executableTarget(name: "weft-mesh", dependencies: ["WeftMeshCommand"]),

    // Loads for Benchmarks/run.py.
    .executableTarget(
      name: "WeftLoad",
      dependencies: ["WeftIO", "CLinux", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      path: "Benchmarks/WeftLoad"),

    // Proxies without a data path, for Benchmarks/scale.py.
    .executableTarget(
      name: "MeshLoad",
      dependencies: [
        "WeftProtocol", "WeftIdentity",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCNIOTransportHTTP2", package: "grpc-swift-nio-transport"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      path: "Benchmarks/MeshLoad"),

    // Members of etcd that tests start.
    .target(name: "TestEtcd", dependencies: ["WeftStore"], path: "Tests/TestEtcd"),
    // Certificates that tests make for themselves.
    .target(name: "TestCertificates", path: "Tests/TestCertificates"),
    .testTarget(name: "WeftIOTests", dependencies: ["WeftIO"]),
    .testTarget(name: "WeftHTTPTests", dependencies: ["WeftHTTP", "CNghttp2"], exclude: ["Corpus"]),
    .testTarget(name: "WeftCryptoTests", dependencies: ["WeftCrypto"]),
    .testTarget(name: "WeftTLSTests", dependencies: ["WeftTLS", "TestCertificates"]),
    .testTarget(name: "WeftRegexTests", dependencies: ["WeftRegex"]),
    .testTarget(name: "WeftConfigTests", dependencies: ["WeftConfig"]),
    .testTarget(name: "WeftBundleTests", dependencies: ["WeftBundle", "WeftCrypto"]),
    .testTarget(name: "WeftTelemetryTests", dependencies: ["WeftTelemetry"]),
    .testTarget(name: "WeftFilterTests", dependencies: ["WeftFilter"]),
    .testTarget(name: "WeftFiltersTests", dependencies: ["WeftFilters", "TestCertificates"]),
    .testTarget(name: "WeftLuaTests", dependencies: ["WeftLua", "WeftBundle", "CLuaHost"]),
    .testTarget(name: "WeftFilterTestTests", dependencies: ["WeftFilterTest"]),
    .testTarget(name: "WeftProxyTests", dependencies: ["WeftProxy"]),
    // A process that tests of the store kill.
    .executableTarget(name: "StoreWriter", dependencies: ["WeftStore"], path: "Tests/StoreWriter"),
    .testTarget(
      name: "WeftStoreTests",
      dependencies: [
        "WeftStore", "StoreWriter", "TestEtcd", .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
      ]),
    .testTarget(name: "WeftIdentityTests", dependencies: ["WeftIdentity"]),
    .testTarget(
      name: "WeftControlTests",
      dependencies: [
        "WeftControl", "WeftProtocol", "WeftStore", "WeftIdentity", "WeftConfig", "WeftBundle", "TestEtcd",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCNIOTransportHTTP2", package: "grpc-swift-nio-transport"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "X509", package: "swift-certificates"),
        .product(name: "Logging", package: "swift-log"),
      ]),
    .testTarget(
      name: "WeftMeshTests", dependencies: ["WeftMesh", "WeftControl", "WeftStore", "WeftProxy", "WeftTelemetry"]),
    // Drives the built binary; depends on it so that it is built.
    .testTarget(name: "EndToEnd", dependencies: ["weft", "weft-mesh", "CLinux", "TestCertificates", "TestEtcd"]),
  ],
  swiftLanguageModes: [.v6]
)
