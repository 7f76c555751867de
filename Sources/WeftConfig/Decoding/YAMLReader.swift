/// Builds trees from YAML events: anchors and aliases, merges (`<<`), tags, and the limits on all of them.
struct YAMLReader: ~Copyable {
  static func read(_ text: [UInt8], file: String) -> (trees: [ConfigTree], diagnostics: [Diagnostic]) {
    // libyaml takes no null pointer, which an empty buffer may have.
    guard !text.isEmpty else { return ([], []) }
    return text.withUnsafeBufferPointer { buffer in
      guard let events = YAMLEvents(buffer, file: file) else {
        return ([], [Diagnostic(.error, at: SourceLocation(file: file), "not enough memory to read the file")])
      }
      var reader = YAMLReader(events: events, file: file)
      var trees: [ConfigTree] = []
      do throws(Diagnostic) {
        while let tree = try reader.document() { trees.append(tree) }
      } catch {
        reader.diagnostics.append(error)
      }
      return (trees, reader.diagnostics.all)
    }
  }

  /// A tree with its size, so that what an alias repeats is known without walking it.
  private struct Sized {
    let tree: ConfigTree
    let values: Int
    let height: Int
  }

  private let events: YAMLEvents
  private let file: String
  private var anchors: [String: Sized] = [:]
  private var values = 0
  private var aliasedValues = 0
  private var diagnostics = DiagnosticList()

  private init(events: consuming YAMLEvents, file: String) {
    self.events = events
    self.file = file
  }

  private func failure(_ item: YAMLEvents.Item, _ path: FieldPath, _ message: String) -> Diagnostic {
    Diagnostic(
      .error, at: SourceLocation(file: file, line: Int(item.line), column: Int(item.column)), path: path,
      message)
  }

  /// The next document, or nil at the end of the file.
  private mutating func document() throws(Diagnostic) -> ConfigTree? {
    while true {
      let item = try events.next()
      switch item.event {
      case .streamEnd: return nil
      case .documentStart:
        anchors.removeAll()
        let root = try value(try events.next(), at: .root, depth: 0)
        return root.tree
      default: continue
      }
    }
  }

  private mutating func value(
    _ item: YAMLEvents.Item, at path: FieldPath, depth: Int
  ) throws(Diagnostic) -> Sized {
    guard depth <= ConfigDocuments.Limits.depth else {
      throw failure(item, path, "nested more than \(ConfigDocuments.Limits.depth) levels deep")
    }
    values += 1
    guard values <= ConfigDocuments.Limits.values else {
      throw failure(item, path, "more than \(ConfigDocuments.Limits.values) values in one file; split it")
    }
    let result: Sized
    switch item.event {
    case .alias(let name): return try alias(name, item, at: path, depth: depth)
    case .scalar(let text, let isPlain):
      let content = try scalar(text, isPlain: isPlain, item, at: path)
      result = Sized(tree: ConfigTree(content: content, line: item.line, column: item.column), values: 1, height: 0)
    case .sequenceStart: result = try sequence(item, at: path, depth: depth)
    case .mappingStart: result = try mapping(item, at: path, depth: depth)
    case .documentStart, .documentEnd, .streamEnd, .sequenceEnd, .mappingEnd:
      throw failure(item, path, "expected a value")
    }
    if let anchor = item.anchor { anchors[anchor] = result }
    return result
  }

  private mutating func alias(
    _ name: String, _ item: YAMLEvents.Item, at path: FieldPath, depth: Int
  ) throws(Diagnostic) -> Sized {
    guard let target = anchors[name] else {
      throw failure(item, path, "no anchor &\(name) is complete before its alias *\(name) in this document")
    }
    values += target.values
    aliasedValues += target.values
    guard aliasedValues <= ConfigDocuments.Limits.aliasedValues, values <= ConfigDocuments.Limits.values else {
      throw failure(item, path, "aliases repeat more than \(ConfigDocuments.Limits.aliasedValues) values")
    }
    guard depth + target.height <= ConfigDocuments.Limits.depth else {
      throw failure(item, path, "nested more than \(ConfigDocuments.Limits.depth) levels deep")
    }
    return target
  }

  private func scalar(
    _ text: String, isPlain: Bool, _ item: YAMLEvents.Item, at path: FieldPath
  ) throws(Diagnostic) -> ConfigTree.Content {
    switch item.tag {
    case nil: return isPlain ? ScalarSyntax.resolve(text) : .string(text)
    case "!", "tag:yaml.org,2002:str": return .string(text)
    case "tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:null":
      return ScalarSyntax.resolve(text)
    case .some(let tag): throw failure(item, path, "tag \(tag) is not supported here; remove it")
    }
  }

  private mutating func sequence(
    _ start: YAMLEvents.Item, at path: FieldPath, depth: Int
  ) throws(Diagnostic) -> Sized {
    try requireTag(start, "tag:yaml.org,2002:seq", path)
    var items: [ConfigTree] = []
    var (values, height) = (1, 0)
    while true {
      let item = try events.next()
      if case .sequenceEnd = item.event { break }
      let element = try value(item, at: path.appending(items.count), depth: depth + 1)
      items.append(element.tree)
      values += element.values
      height = max(height, element.height + 1)
    }
    let tree = ConfigTree(content: .sequence(items), line: start.line, column: start.column)
    return Sized(tree: tree, values: values, height: height)
  }

  private mutating func mapping(
    _ start: YAMLEvents.Item, at path: FieldPath, depth: Int
  ) throws(Diagnostic) -> Sized {
    try requireTag(start, "tag:yaml.org,2002:map", path)
    var builder = MappingBuilder()
    var merged: [ConfigTree.Entry] = []
    var (values, height) = (1, 0)
    while true {
      let key = try events.next()
      if case .mappingEnd = key.event { break }
      guard case .scalar(let name, let isPlain) = key.event else {
        throw failure(key, path, "a field name must be plain text")
      }
      if let anchor = key.anchor {
        let tree = ConfigTree(content: .string(name), line: key.line, column: key.column)
        anchors[anchor] = Sized(tree: tree, values: 1, height: 0)
      }
      let element = try value(try events.next(), at: path.appending(name), depth: depth + 1)
      values += element.values
      height = max(height, element.height + 1)
      if name == "<<", isPlain {
        merged += try mergeable(element.tree, key, at: path)
        continue
      }
      let entry = ConfigTree.Entry(key: name, line: key.line, column: key.column, value: element.tree)
      if let first = builder.add(entry) {
        diagnostics.append(.repeatedField(entry, first: first, file: file, path: path))
      }
    }
    // Fields of the mapping itself win over merged ones, and earlier merged ones over later ones.
    for entry in merged { _ = builder.add(entry) }
    let tree = ConfigTree(content: .mapping(builder.entries), line: start.line, column: start.column)
    return Sized(tree: tree, values: values, height: height)
  }

  private func mergeable(
    _ tree: ConfigTree, _ key: YAMLEvents.Item, at path: FieldPath, listed: Bool = false
  ) throws(Diagnostic) -> [ConfigTree.Entry] {
    switch tree.content {
    case .mapping(let entries): return entries
    case .sequence(let items) where !listed:
      var entries: [ConfigTree.Entry] = []
      for item in items {
        entries += try mergeable(item, key, at: path, listed: true)
      }
      return entries
    default: throw failure(key, path.appending("<<"), "only a mapping, or a list of mappings, can be merged")
    }
  }

  private func requireTag(
    _ item: YAMLEvents.Item, _ standard: String, _ path: FieldPath
  ) throws(Diagnostic) {
    if let tag = item.tag, tag != "!", tag != standard {
      throw failure(item, path, "tag \(tag) is not supported here; remove it")
    }
  }
}
