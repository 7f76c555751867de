/// One rule of an AuthorizationPolicy: matches when one of the sources, one of the operations and every condition do.
public struct AuthorizationRule: Sendable, Hashable {
  /// What a request or connection is asked about, with the values that count. All values given have to fit: one of
  /// `values`, if there are any, and none of `notValues`.
  public struct Clause: Sendable, Hashable {
    public let attribute: AuthorizationAttribute
    public let values: [String]
    public let notValues: [String]
    public let origin: Origin
  }

  /// Alternatives, each a list of clauses that all must hold; none: any source.
  public let sources: [[Clause]]
  /// None: any operation.
  public let operations: [[Clause]]
  public let conditions: [Clause]
  public let origin: Origin

  /// - Parameter namespace: the policy's.
  init(_ reader: ObjectReader, namespace: String) {
    sources = reader.objects("from", count: Bounds.authorizationEntries) {
      AuthorizationRule.source($0.object("source"), namespace: namespace)
    }
    operations = reader.objects("to", count: Bounds.authorizationEntries) {
      AuthorizationRule.operation($0.object("operation"))
    }
    conditions = reader.objects("when", count: Bounds.authorizationEntries, AuthorizationRule.condition)
      .compactMap { $0 }
    origin = Origin(reader.node)
    for list in ["from", "to", "when"] where reader.rawNode(list)?.items.isEmpty == true {
      reader.error(list, "is an empty list, which would mean any; remove it, or give it an entry")
    }
  }

  private static func source(_ reader: ObjectReader, namespace: String) -> [Clause] {
    let clauses = [
      clause(reader, .principal, "principals", "notPrincipals") { spiffePath($0) },
      clause(reader, .requestPrincipal, "requestPrincipals", "notRequestPrincipals"),
      clause(reader, .namespace, "namespaces", "notNamespaces"),
      clause(reader, .serviceAccount, "serviceAccounts", "notServiceAccounts") {
        $0.contains("/") ? $0 : "\(namespace)/\($0)"
      },
      clause(reader, .sourceIP, "ipBlocks", "notIpBlocks"),
      clause(reader, .remoteIP, "remoteIpBlocks", "notRemoteIpBlocks"),
    ].compactMap { $0 }
    if clauses.isEmpty { reader.error(nil, "is empty; remove the entry, for a rule without \"from\" takes any source") }
    if clauses.contains(where: { $0.attribute == .serviceAccount }),
      clauses.contains(where: { $0.attribute == .principal || $0.attribute == .namespace })
    {
      reader.error(
        "serviceAccounts",
        "cannot stand together with principals or namespaces, which it says already; keep one of them")
    }
    return clauses
  }

  private static func operation(_ reader: ObjectReader) -> [Clause] {
    let clauses = [
      clause(reader, .host, "hosts", "notHosts"),
      clause(reader, .destinationPort, "ports", "notPorts"),
      clause(reader, .method, "methods", "notMethods"),
      clause(reader, .path, "paths", "notPaths"),
    ].compactMap { $0 }
    if clauses.isEmpty {
      reader.error(nil, "is empty; remove the entry, for a rule without \"to\" takes any operation")
    }
    return clauses
  }

  private static func condition(_ reader: ObjectReader) -> Clause? {
    let key = reader.string("key", .length(1...1024))
    guard let attribute = AuthorizationAttribute(conditionKey: key) else {
      if !key.isEmpty { reader.error("key", AuthorizationAttribute.complaint(about: key)) }
      reader.ignore("values", "notValues")
      return nil
    }
    guard let clause = clause(reader, attribute, "values", "notValues") else {
      reader.error(nil, "needs values or notValues; with neither, the condition says nothing")
      return nil
    }
    return clause
  }

  /// - Parameter form: brings a value into the form that is compared.
  private static func clause(
    _ reader: ObjectReader, _ attribute: AuthorizationAttribute, _ name: String, _ notName: String,
    _ form: (String) -> String = { $0 }
  ) -> Clause? {
    func read(_ name: String) -> [String] {
      let values = reader.strings(name, count: 0...Bounds.authorizationValues, attribute.valueRule)
      if let node = reader.rawNode(name) {
        if node.kind == .sequence, node.items.isEmpty {
          reader.error(name, "is an empty list, which would mean any; remove it, or name a value")
        }
        for item in node.items {
          if let text = item.stringValue, let advice = attribute.advice(about: text) {
            reader.report(Origin(item).warning(advice))
          }
        }
      }
      return values.map(form)
    }
    let (values, notValues) = (read(name), read(notName))
    if values.isEmpty && notValues.isEmpty && !reader.has(name) && !reader.has(notName) { return nil }
    return Clause(
      attribute: attribute, values: values, notValues: notValues,
      origin: Origin(reader.rawNode(name) ?? reader.rawNode(notName) ?? reader.node))
  }

  /// A principal is a SPIFFE ID without its scheme; one with it means the same.
  private static func spiffePath(_ text: String) -> String {
    text.hasPrefix("spiffe://") ? String(text.dropFirst("spiffe://".count)) : text
  }
}
