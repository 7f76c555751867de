import ArgumentParser
import Glibc
import WeftConfig
import WeftIO
import WeftMesh

struct SidecarCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sidecar",
    abstract: "Run the proxy beside one instance of a service.",
    discussion: """
      Registers the instance as an endpoint of its service while the app is well, and withdraws it before it drains. \
      Others reach the app through the inbound listener, by mutual TLS; the app reaches other services through the \
      outbound listener, which knows them by host (reviews, reviews.default, reviews.default.svc.cluster.local) and \
      also serves as HTTP proxy. What a service's app calls is learned when it calls it first.

      Examples:
        weft token create --join --service reviews > reviews.token
        weft sidecar --service reviews --app 127.0.0.1:9080 --token-file reviews.token
        http_proxy=http://127.0.0.1:15001 curl http://ratings/
        weft sidecar --service reviews --app 127.0.0.1:9080 --app-check http:/healthz --label version=v2
      """)

  @Option(help: "Name of the service.")
  var service: String

  @Option(help: ArgumentHelp("Where the app listens.", valueName: "address"))
  var app: String

  @Option(help: "What the app speaks: http, http2 or tcp.")
  var appProtocol: WorkloadOptions.ApplicationProtocol = .http

  @Option(
    help: ArgumentHelp("How the app's health is checked: tcp, http:/PATH, or off.", valueName: "check"),
    transform: { text in
      switch text {
      case "off": return .off
      case "tcp": return .tcp
      case _ where text.hasPrefix("http:/"): return .http(path: String(text.dropFirst(5)))
      default: throw ValidationError("takes tcp, http:/PATH or off, not '\(text)'")
      }
    })
  var appCheck: WorkloadOptions.Check = .tcp

  @Option(
    help: ArgumentHelp(
      "Where other proxies connect to (default: port 15006 of the address that leads to the control plane).",
      valueName: "address"))
  var inbound: String?

  @Option(help: ArgumentHelp("The inbound listener as others reach it, where that differs.", valueName: "address"))
  var advertise: String?

  @Option(
    help: ArgumentHelp(
      "Where the app sends its requests to other services. May be repeated: [::1]:15001 as well, for connections of IPv6 that are redirected.",
      valueName: "address"))
  var outbound = ["127.0.0.1:15001"]

  @Flag(help: "The app's connections are redirected to --outbound; weft redirect shows the rules for it.")
  var redirected = false

  @Option(help: "The service's port that the app serves (default: the only one).")
  var port: UInt32 = 0

  @Option(help: "Share of requests, in proportion to the service's other instances.")
  var weight: UInt32 = 1

  @OptionGroup var flags: MeshFlags

  func validate() throws {
    for (option, text) in [("--app", app)] + outbound.map({ ("--outbound", $0) }) where Self.address(text) == nil {
      throw ValidationError("\(option) takes IP:PORT, such as 127.0.0.1:9080, not '\(text)'")
    }
    for (option, text) in [("--inbound", inbound), ("--advertise", advertise)] {
      if let text, Self.address(text) == nil {
        throw ValidationError("\(option) takes IP:PORT, such as 10.0.0.5:15006, not '\(text)'")
      }
    }
    if let inbound, advertise == nil, Self.address(inbound)?.ip?.isUnspecified ?? false {
      throw ValidationError("--inbound \(inbound) is every address of the machine: name one of them with --advertise")
    }
    if Set(outbound).count < outbound.count { throw ValidationError("--outbound names an address twice") }
    if outbound.count > 8 { throw ValidationError("--outbound may be given eight times at most") }
    if !(0...1_000_000).contains(weight) { throw ValidationError("--weight takes 0 to 1000000") }
    if !(0...65_535).contains(port) { throw ValidationError("--port takes 1 to 65535") }
  }

  private static func address(_ text: String) -> SocketAddress? {
    // The one name that means the same everywhere.
    let isLocal = text.hasPrefix("localhost:")
    guard let address = SocketAddress(isLocal ? "127.0.0.1:\(text.dropFirst(10))" : text), address.ip != nil,
      address.port != 0
    else { return nil }
    return address
  }

  func run() throws {
    let outbound = outbound.compactMap(Self.address)
    guard let app = Self.address(app), !outbound.isEmpty else { throw ExitCode(2) }
    guard let inbound = inbound.flatMap(Self.address) ?? Self.defaultInbound(flags.control) else {
      throw ValidationError("say with --inbound IP:PORT where other proxies connect to")
    }
    let advertised = advertise.flatMap(Self.address) ?? inbound
    var options = try flags.options(.sidecar, name: service, place: "\(advertised.port)")
    var workload = WorkloadOptions(app: app, inbound: inbound, advertised: advertised, outbound: outbound)
    workload.protocol = appProtocol
    workload.check = appCheck
    workload.takesRedirected = redirected
    workload.servicePort = port
    workload.weight = weight
    options.workload = workload
    throw try flags.run(options)
  }

  /// The address of this machine from which the control plane is reached; loopback where that cannot be told.
  private static func defaultInbound(_ control: [String]) -> SocketAddress? {
    let port: UInt16 = 15_006
    guard case .ip(let text, _)? = control.first.flatMap({ ServiceEndpoint.Address($0) }), let ip = IPAddress(text)
    else { return SocketAddress(.loopbackV4, port: port) }
    // A datagram socket that is connected sends nothing, and has the address from which it would.
    let target = SocketAddress(ip, port: 9)
    let fd = socket(
      text.contains(":") ? AF_INET6 : AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard fd >= 0 else { return nil }
    defer { close(fd) }
    guard target.withSockaddr({ Glibc.connect(fd, $0, $1) }) == 0, let own = Socket.localAddress(fd).ip else {
      return nil
    }
    return SocketAddress(own, port: port)
  }
}

extension WorkloadOptions.ApplicationProtocol: ExpressibleByArgument {}
