import WeftConfig
import WeftControl
import WeftStore

/// Resources in files, with the place of every field, so that what the control plane says of a field is said with file
/// and line, as `weft check` says it.
struct Manifests: Sendable {
  struct Item: Sendable {
    let key: ResourceKey
    let value: JSONValue
    let node: ConfigNode
  }

  private(set) var items: [Item] = []
  /// What is wrong with the files themselves, and kinds that Weft does not read.
  private(set) var diagnostics: [Diagnostic] = []

  /// - Parameters:
  ///   - paths: files and folders; `-` is standard input.
  ///   - namespace: for resources that name none.
  init(_ paths: [String], namespace: String) throws {
    var files = paths
    var documents: [ConfigDocuments] = []
    if let index = files.firstIndex(of: "-") {
      files.remove(at: index)
      documents.append(ConfigDocuments(parsing: try StandardInput.read(), file: "stdin"))
    }
    let sources = ConfigLoader.read(paths: files)
    diagnostics += sources.problems
    documents += sources.documents
    for file in documents {
      diagnostics += file.diagnostics
      for root in file.roots { add(root, namespace: namespace) }
    }
  }

  private mutating func add(_ node: ConfigNode, namespace: String) {
    if let kind = node["kind"]?.stringValue, kind.hasSuffix("List"), let list = node["items"], list.kind == .sequence {
      for item in list.items { add(item, namespace: namespace) }
      return
    }
    let value = JSONValue(node)
    let document: ResourceDocument
    do throws(ResourceProblem) {
      document = try ResourceDocument(value, namespace: namespace)
    } catch {
      // Too wrong to be sent: what the check on files says of it.
      let found = ConfigLoader.load(documents: [ConfigDocuments(node)], sources: []).diagnostics
      diagnostics += found.isEmpty ? [node.error(error.description)] : found
      return
    }
    if let first = items.first(where: { $0.key == document.key }) {
      let place = first.node.location
      let here = node["metadata"] ?? node
      let line = place.file == here.location.file ? "line \(place.line)" : "\(place)"
      diagnostics.append(
        Diagnostic(
          at: here.location, path: here.path,
          "\(document.type.kind) \(document.key.namespace)/\(document.key.name) is defined twice, first at \(line); rename or remove one"
        ))
      return
    }
    items.append(Item(key: document.key, value: document.value, node: node))
  }

  var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }

  /// What the control plane says, at the places of the fields.
  func diagnostics(_ findings: [ResourceFinding]) -> [Diagnostic] {
    findings.map { finding in
      let severity: Diagnostic.Severity = finding.isError ? .error : .warning
      guard let item = items.first(where: { $0.key == finding.resource }) else {
        let source = finding.resource.map { "control:\($0)" } ?? "control"
        return Diagnostic(severity, at: SourceLocation(file: source), path: .text(finding.path), finding.message)
      }
      let places = FieldPlaces(item.node)
      let path = places.join(finding.path)
      let location = places.location(of: path, isKey: finding.message.hasPrefix("unknown field "))
      return Diagnostic(severity, at: location, path: .text(path), finding.message)
    }
  }

  /// The diagnostics in the order of files and lines.
  static func sorted(_ diagnostics: [Diagnostic]) -> [Diagnostic] {
    diagnostics.enumerated().sorted { ($0.element.location, $0.offset) < ($1.element.location, $1.offset) }
      .map(\.element)
  }
}

/// Where the fields of a document stand.
struct FieldPlaces {
  private var places: [String: (value: SourceLocation, key: SourceLocation)] = [:]
  private let root: ConfigNode

  init(_ root: ConfigNode) {
    self.root = root
    add(root, key: root.location)
  }

  private mutating func add(_ node: ConfigNode, key: SourceLocation) {
    places[node.path.description] = (node.location, key)
    for entry in node.entries { add(entry.value, key: entry.keyLocation) }
    for item in node.items { add(item, key: item.location) }
  }

  /// A path within the document as one within its file: a document may be an item of a list.
  func join(_ path: String) -> String {
    let base = root.path.description
    if base.isEmpty || path.isEmpty { return base + path }
    return path.hasPrefix("[") ? base + path : "\(base).\(path)"
  }

  /// The place of a field, or of the nearest field around it.
  func location(of path: String, isKey: Bool) -> SourceLocation {
    var path = path
    var isKey = isKey
    while true {
      if let place = places[path] { return isKey ? place.key : place.value }
      isKey = false
      let isIndex = path.hasSuffix("]")
      guard let cut = path.lastIndex(of: isIndex ? "[" : ".") else { return root.location }
      path = String(path[..<cut])
    }
  }
}
