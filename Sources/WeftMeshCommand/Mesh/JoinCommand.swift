import ArgumentParser
import Glibc
import WeftIO

struct JoinCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "join",
    abstract: "Show how a machine joins the mesh: a systemd unit for its proxy, and the commands.",
    discussion: """
      Changes nothing: what it prints is to be read, adapted and run.

      Examples:
        weft join --service reviews --app 127.0.0.1:9080 --control control.internal:15081
        weft join --gateway edge --control control.internal:15081 > weft-edge.service
      """)

  @Option(help: "Join as a sidecar of this service.")
  var service: String?

  @Option(help: "Join as the gateway of this name.")
  var gateway: String?

  @Option(help: ArgumentHelp("Where the service's app listens.", valueName: "address"))
  var app: String?

  @Option(help: ArgumentHelp("Address of the control plane.", valueName: "address"))
  var control = "127.0.0.1:15081"

  @Option(name: [.short, .long], help: "Namespace of the mesh.")
  var namespace = "default"

  func validate() throws {
    guard (service == nil) != (gateway == nil) else {
      throw ValidationError("say what joins: --service NAME --app ADDRESS, or --gateway NAME")
    }
    if service != nil && app == nil { throw ValidationError("--service needs --app, the address of the app") }
    for name in [service, gateway, namespace].compactMap({ $0 }) where !Self.isName(name) {
      throw ValidationError("'\(name)' is no name: use lower-case letters, digits and \"-\"")
    }
    for address in [app, control].compactMap({ $0 })
    where address.contains(where: { $0.isWhitespace || "\"'\\%$".contains($0) }) {
      throw ValidationError("'\(address)' is no address")
    }
  }

  private static func isName(_ text: String) -> Bool {
    (1...63).contains(text.utf8.count) && text.utf8.allSatisfy { $0 &- 0x61 < 26 || $0 &- 0x30 < 10 || $0 == 0x2d }
  }

  func run() throws { print(text) }

  var text: String {
    let name = service ?? gateway ?? ""
    let kind = service == nil ? "gateway" : "service"
    let what = service == nil ? "gateway --name \(name)" : "sidecar --service \(name) --app \(app ?? "")"
    let unit = "weft-\(name).service"
    // A gateway listens on ports such as 443.
    let capability =
      service == nil
      ? "AmbientCapabilities=CAP_NET_BIND_SERVICE\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\n"
      : "CapabilityBoundingSet=\n"
    return """
      # 1. Where the control plane is managed from: a token for this proxy.
      #      weft token create --join --\(kind) \(name) -n \(namespace) > \(name).token
      # 2. On this machine, as root, with the token:
      #      install -D -m 600 \(name).token /etc/weft/\(name).token
      #      weft join --\(kind) \(name)\(app.map { " --app \($0)" } ?? "") --control \(control) -n \(namespace) > /etc/systemd/system/\(unit)
      #      systemctl daemon-reload && systemctl enable --now \(unit)
      # 3. See it at work:
      #      systemctl status \(unit) && weft status

      [Unit]
      Description=Weft \(service == nil ? "gateway" : "sidecar of") \(name)
      Wants=network-online.target
      After=network-online.target

      [Service]
      ExecStart=/usr/local/bin/weft \(what) --namespace \(namespace) --control \(control) \
      --token-file ${CREDENTIALS_DIRECTORY}/token --state /var/lib/weft-\(name)
      LoadCredential=token:/etc/weft/\(name).token
      DynamicUser=yes
      StateDirectory=weft-\(name)
      StateDirectoryMode=0700
      \(capability)NoNewPrivileges=yes
      ProtectSystem=strict
      ProtectHome=yes
      PrivateTmp=yes
      RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
      LimitNOFILE=1048576
      Restart=on-failure
      TimeoutStopSec=45

      [Install]
      WantedBy=multi-user.target
      """
  }
}
