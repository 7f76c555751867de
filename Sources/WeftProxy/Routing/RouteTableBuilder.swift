import WeftHTTP
import WeftIO
import WeftRegex

/// Compiles `RouteMatchSpec`s into the memory of a route table.
struct RouteTableBuilder {
  private struct NodeKey: Hashable {
    var parent: Int
    var element: [UInt8]
  }

  /// The specs of one node, as indices.
  private struct NodeSpecs {
    var exact: [Int] = []
    var prefix: [Int] = []
  }

  private var specs: [RouteMatchSpec] = []
  private var precedences: [RoutePrecedence] = []
  private var text: [UInt8] = []
  private var nodes: [RouteStorage.Node] = []
  private var nodeSpecs: [NodeSpecs] = []
  private var nodeIndex: [NodeKey: Int] = [:]
  private var nodeHashes: [UInt64] = []
  private var entries: [RouteStorage.Entry] = []
  private var conditions = RouteConditionBuilder()

  mutating func build(
    _ specs: [RouteMatchSpec], listenerHostnames: [String]
  ) throws(RouteTableError) -> RouteStorage {
    self.specs = specs
    precedences = specs.map(RoutePrecedence.init)
    let plan = try RouteHostPlan(specs, listenerHostnames: listenerHostnames)
    // Every spec is compiled, also one that no request can reach, so that its mistakes are found.
    for spec in specs { try conditions.add(spec) }
    var hosts: [RouteStorage.Host] = []
    for host in plan.hosts { hosts.append(try compile(host)) }
    return storage(plan, hosts)
  }

  // MARK: Hosts

  private mutating func compile(_ plan: RouteHostPlan.Host) throws(RouteTableError) -> RouteStorage.Host {
    var host = RouteStorage.Host(
      nameStart: intern(plan.pattern.bytes), nameCount: Int32(plan.pattern.bytes.count), root: -1, regexStart: 0,
      regexEnd: 0, next: Int32(plan.next))
    if plan.specs.isEmpty { return host }
    let firstNode = nodes.count
    let root = addNode(parent: -1, element: [])
    host.root = Int32(root)
    var regexes: [Int] = []
    for i in plan.specs {
      switch specs[i].path {
      case .exact(let path):
        let path = try elements(path, specs[i])
        nodeSpecs[node(path, below: root)].exact.append(i)
      case .prefix(let path):
        var path = try elements(path, specs[i])
        if path.last?.isEmpty == true { path.removeLast() }
        nodeSpecs[node(path, below: root)].prefix.append(i)
      case .regex: regexes.append(i)
      case .grpc(let path):
        if path.rank == .serviceAndMethod { regexes.append(i) } else { nodeSpecs[root].prefix.append(i) }
      }
    }
    (host.regexStart, host.regexEnd) = add(regexes)
    // Parents come before their children.
    for i in firstNode..<nodes.count {
      (nodes[i].exactStart, nodes[i].exactEnd) = add(nodeSpecs[i].exact)
      (nodes[i].prefixStart, nodes[i].prefixEnd) = add(nodeSpecs[i].prefix)
      let parent = Int(nodes[i].parent)
      if parent < 0 { continue }
      nodes[i].nextPrefix = nodeSpecs[parent].prefix.isEmpty ? nodes[parent].nextPrefix : Int32(parent)
    }
    return host
  }

  // MARK: Paths

  /// The path's elements: those of `/a/` are `a` and an empty one.
  private func elements(_ path: String, _ spec: RouteMatchSpec) throws(RouteTableError) -> [[UInt8]] {
    let utf8 = Array(path.utf8)
    if utf8.first != 0x2f { throw RouteTableError(spec.order, .path, "\"\(path)\" does not begin with /") }
    return utf8.dropFirst().split(separator: 0x2f, omittingEmptySubsequences: false).map(Array.init)
  }

  private mutating func node(_ path: [[UInt8]], below root: Int) -> Int {
    var node = root
    for element in path {
      node = nodeIndex[NodeKey(parent: node, element: element)] ?? addNode(parent: node, element: element)
    }
    return node
  }

  private mutating func addNode(parent: Int, element: [UInt8]) -> Int {
    let index = nodes.count
    let node = RouteStorage.Node(
      parent: Int32(parent), textStart: intern(element), textCount: Int32(element.count), exactStart: 0, exactEnd: 0,
      prefixStart: 0, prefixEnd: 0, nextPrefix: -1, hasChildren: false)
    nodes.append(node)
    nodeSpecs.append(NodeSpecs())
    nodeHashes.append(0)
    if parent >= 0 {
      nodes[parent].hasChildren = true
      nodeIndex[NodeKey(parent: parent, element: element)] = index
      nodeHashes[index] = element.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return WordHash.mix(WordHash.seed(parent), 0) }
        return WordHash.element(Bytes(base, buffer.count), 0, seed: WordHash.seed(parent)).hash
      }
    }
    return index
  }

  // MARK: Entries

  /// Adds the entries of specs that share host and path, in order of precedence. None after one without conditions can
  /// ever be reached.
  private mutating func add(_ indices: [Int]) -> (start: Int32, end: Int32) {
    let start = entries.count
    for i in indices.sorted(by: { precedences[$0] < precedences[$1] }) {
      let compiled = conditions.compiled[i]
      var entry = RouteStorage.Entry(
        target: Int32(specs[i].target), prefixLength: -1, method: compiled.method, isUnconditional: false,
        headerCount: UInt16(compiled.headers.count), headerStart: Int32(compiled.headers.lowerBound),
        queryStart: Int32(compiled.query.lowerBound), queryCount: UInt16(compiled.query.count),
        methodCount: UInt16(compiled.methodText.count), methodStart: 0,
        pattern: compiled.path.map(Unmanaged.passUnretained))
      entry.isUnconditional =
        compiled.path == nil && compiled.methodText.isEmpty && compiled.headers.isEmpty && compiled.query.isEmpty
      if case .prefix = specs[i].path { entry.prefixLength = Int32(specs[i].prefixPath.count) }
      if compiled.method == .other { entry.methodStart = intern(compiled.methodText) }
      entries.append(entry)
      if entry.isUnconditional { break }
    }
    return (Int32(start), Int32(entries.count))
  }

  private mutating func intern(_ bytes: [UInt8]) -> Int32 {
    text.append(contentsOf: bytes)
    return Int32(text.count - bytes.count)
  }

  // MARK: Tables

  private func storage(_ plan: RouteHostPlan, _ hosts: [RouteStorage.Host]) -> RouteStorage {
    var wildcardLengths = [Bool](repeating: false, count: RouteScratch.hostLimit + 1)
    var hostHashes: [(UInt64, Int)] = []
    for (i, host) in plan.hosts.enumerated() where !host.pattern.isAny {
      let bytes = host.pattern.bytes
      let hash = (bytes + [UInt8](repeating: 0, count: 8)).withUnsafeBufferPointer { buffer in
        buffer.baseAddress.map { WordHash.padded($0, bytes.count) } ?? 0
      }
      hostHashes.append((hash, i))
      if host.pattern.isWildcard { wildcardLengths[bytes.count] = true }
    }
    let children = nodes.indices.filter { nodes[$0].parent >= 0 }.map { (nodeHashes[$0], $0) }
    return RouteStorage(
      text: OwnedBytes(text),
      hosts: FlatArray(hosts),
      hostSlots: FlatArray(slots(hostHashes)),
      anyHost: plan.hosts.firstIndex { $0.pattern.isAny } ?? -1,
      wildcardLengths: FlatArray(wildcardLengths),
      hasWildcards: wildcardLengths.contains(true),
      nodes: FlatArray(nodes),
      nodeSlots: FlatArray(slots(children)),
      entries: FlatArray(entries),
      headerConditions: FlatArray(conditions.headers),
      queryConditions: FlatArray(conditions.query),
      patterns: conditions.patterns,
      names: conditions.texts)
  }

  /// A hash table that is at most half full, so that a search always ends, and soon.
  private func slots(_ keys: [(hash: UInt64, index: Int)]) -> [RouteStorage.Slot] {
    var size = 8
    while size < keys.count * 2 { size *= 2 }
    var slots = [RouteStorage.Slot](repeating: RouteStorage.Slot(hash: 0, index: -1), count: size)
    for key in keys {
      let hash = UInt32(truncatingIfNeeded: key.hash)
      var i = Int(hash) & (size - 1)
      while slots[i].index >= 0 { i = (i + 1) & (size - 1) }
      slots[i] = RouteStorage.Slot(hash: hash, index: Int32(key.index))
    }
    return slots
  }
}
