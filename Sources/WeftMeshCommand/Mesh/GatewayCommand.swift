import ArgumentParser
import WeftMesh

struct GatewayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gateway",
    abstract: "Run a gateway of the mesh: traffic from outside comes in here.",
    discussion: """
      Takes its listeners from the Gateway resource of its name and namespace, with the routes that are attached to it, \
      from the control plane, and keeps up with every change. The first start needs a join token; it is exchanged for a \
      certificate, which the gateway renews by itself. Without its control plane it serves on with what it has, and \
      starts from it as well.

      Examples:
        weft token create --join --gateway edge > edge.token
        weft gateway --name edge --token-file edge.token
        weft gateway --name edge --control control-1.internal:15081 --control control-2.internal:15081
      """)

  @Option(help: "Name of the Gateway resource.")
  var name: String

  @OptionGroup var flags: MeshFlags

  func run() throws { throw try flags.run(try flags.options(.gateway, name: name, place: name)) }
}
