import ArgumentParser
import WeftIO

struct RedirectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "redirect",
    abstract: "Show the nftables rules that redirect an app's connections to its sidecar.",
    discussion: """
      Changes nothing: what it prints is to be read, and applied by nft(8). The sidecar is started with --redirected, and \
      takes each connection to where it was meant to go: requests by their host, TLS by its server name, anything else \
      by the address, which is the clusterIP of a core Service. Redirect the addresses of the mesh's services alone: \
      what belongs to no service is refused.

      Examples:
        weft redirect --to 10.96.0.0/12
        weft redirect --to 10.96.0.0/12 --proxy-user weft --port 80 --port 443 | nft -f -
        nft delete table ip weft
      """)

  @Option(
    help: ArgumentHelp("Addresses of the mesh's services (IPv4). May be repeated.", valueName: "cidr"))
  var to: [String]

  @Option(help: ArgumentHelp("Only connections to this port. May be repeated.", valueName: "port"))
  var port: [UInt16] = []

  @Option(help: "Only connections of this user, the app's.")
  var appUser: String?

  @Option(help: "The user as which the sidecar runs: its own connections are left alone.")
  var proxyUser: String?

  @Option(help: "The port of the sidecar's outbound listener.")
  var outbound: UInt16 = 15_001

  func validate() throws {
    for text in to where !Self.isNetwork(text) {
      throw ValidationError("--to takes an IPv4 network such as 10.96.0.0/12, not '\(text)'")
    }
    if port.contains(0) || outbound == 0 { throw ValidationError("a port is 1 to 65535") }
    if port.contains(outbound) { throw ValidationError("--port \(outbound) is the outbound listener's own") }
    for user in [appUser, proxyUser].compactMap({ $0 }) where !Self.isUser(user) {
      throw ValidationError("'\(user)' is no user: write a name such as weft, or a number")
    }
  }

  private static func isNetwork(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let bits = UInt8(parts[1]), bits <= 32 else { return false }
    let numbers = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    return numbers.count == 4 && numbers.allSatisfy { $0.allSatisfy(\.isNumber) && UInt8($0) != nil }
  }

  /// As adduser(8) takes names; what is printed is read by a shell's user and by nft.
  private static func isUser(_ text: String) -> Bool {
    (1...32).contains(text.utf8.count)
      && text.utf8.allSatisfy { $0 &- 0x61 < 26 || $0 &- 0x30 < 10 || $0 == 0x2d || $0 == 0x5f }
  }

  func run() throws { print(text) }

  var text: String {
    let ports = port.map(String.init)
    var rules = ["    ip daddr != { \(to.joined(separator: ", ")) } return"]
    if let proxyUser { rules.append("    meta skuid \(proxyUser) return") }
    if let appUser { rules.append("    meta skuid != \(appUser) return") }
    let match = ports.isEmpty ? "meta l4proto tcp" : "tcp dport { \(ports.joined(separator: ", ")) }"
    rules.append("    \(match) redirect to :\(outbound)")
    return """
      # Connections of this machine to services of the mesh go to the sidecar's outbound listener.
      #   apply:  weft redirect ... | nft -f -        the sidecar: weft sidecar ... --redirected
      #   show:   nft list table ip weft
      #   undo:   nft delete table ip weft
      table ip weft
      delete table ip weft
      table ip weft {
        chain output {
          type nat hook output priority -100; policy accept;
      \(rules.joined(separator: "\n"))
        }
      }
      """
  }
}
