import ArgumentParser
import WeftCommand
import WeftConfig
import WeftControl

struct GetCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "get",
    abstract: "List resources of the control plane, or print one.",
    discussion: """
      KIND is a kind in the singular or plural, an abbreviation, one with its group (service.weft.dev), or all.

      Examples:
        weft get httproutes
        weft get gateway edge -o yaml
        weft get all -A
        weft get svc -l app=shop -w
      """)

  @OptionGroup var resource: ResourceArguments

  @Option(name: [.customShort("o"), .customLong("output")], help: "table, wide, yaml, json or name.")
  var output: OutputFormat = .table

  @Option(
    name: [.customShort("l"), .customLong("selector")], help: "Labels: KEY=VALUE, KEY!=VALUE, KEY or !KEY, with commas."
  )
  var selector: String?

  @Flag(name: [.customShort("A"), .customLong("all-namespaces")], help: "In all namespaces.")
  var allNamespaces = false

  @Flag(name: [.customShort("w"), .customLong("watch")], help: "Then print changes as they come.")
  var watch = false

  @OptionGroup var namespace: NamespaceOption
  @OptionGroup var client: ClientOptions

  func run() throws {
    let format = client.json ? .json : output
    let (kind, only) = resource.parts
    let (selector, isEverywhere, watches, namespace, json) = (selector, allNamespaces, watch, namespace, client.json)
    try client.withClient { client, resolved in
      let reference = try ResourceReference(kind: kind)
      let place = namespace.resolve(resolved)
      if let name = only {
        let (type, value) = try await reference.resource(name, namespace: place, client)
        Self.show([(type, [value])], format, isList: false, showsNamespace: false)
        if watches {
          try await WatchCommand.follow(
            [type], namespace: place, name: name, after: value["metadata"]?["resourceVersion"]?.string ?? "", client,
            json: json || format == .json)
        }
        return
      }
      var groups: [(ResourceType, [JSONValue])] = []
      var revision = ""
      let query = selector.map { [("labelSelector", $0)] } ?? []
      let isAll = kind.lowercased() == "all"
      for type in reference.types {
        if isAll, type.kind.kind == "Secret" { continue }
        let path = type.path(namespace: isEverywhere ? nil : place)
        let list = try await client.list(path, query)
        revision = list.revision
        if !list.items.isEmpty || reference.types.count == 1 { groups.append((type, list.items)) }
      }
      if groups.allSatisfy({ $0.1.isEmpty }), format == .table || format == .wide, !watches {
        let location =
          isEverywhere || !reference.types.contains(where: \.isNamespaced) ? "" : " in namespace \"\(place)\""
        Terminal.printError("no \(isAll ? "resources" : reference.types.first?.plural ?? kind)\(location)")
        return
      }
      Self.show(groups, format, isList: true, showsNamespace: isEverywhere)
      if watches {
        try await WatchCommand.follow(
          reference.types, namespace: isEverywhere ? nil : place, name: nil, after: revision, client,
          json: json || format == .json)
      }
    }
  }

  private static func show(
    _ groups: [(ResourceType, [JSONValue])], _ format: OutputFormat, isList: Bool, showsNamespace: Bool
  ) {
    let items = groups.flatMap(\.1)
    switch format {
    case .table, .wide:
      for (index, (type, values)) in groups.enumerated() {
        var table = ResourceTable(type, showsNamespace: showsNamespace, isWide: format == .wide)
        for value in values { table.add(value) }
        if groups.count > 1 {
          Terminal.write("\(index > 0 ? "\n" : "")\(Terminal.styled(type.kind.description, .bold))\n", to: 1)
        }
        Terminal.write(table.text, to: 1)
      }
    case .json:
      let list: JSONValue = ["apiVersion": "v1", "kind": "List", "items": .array(items)]
      Terminal.write((isList ? list : items.first ?? .null).prettyText, to: 1)
    case .yaml:
      Terminal.write(items.map { Terminal.harmless($0.yaml) }.joined(separator: "---\n"), to: 1)
    case .name:
      for (type, values) in groups {
        for value in values {
          let group = type.kind.group.isEmpty ? "" : ".\(type.kind.group)"
          print("\(type.kind.kind.lowercased())\(group)/\(value["metadata"]?["name"]?.string ?? "")")
        }
      }
    }
  }
}
