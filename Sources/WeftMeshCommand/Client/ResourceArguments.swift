import ArgumentParser

/// One resource, as `KIND NAME` or `KIND/NAME`.
struct ResourceArguments: ParsableArguments {
  @Argument(help: ArgumentHelp("The kind, or KIND/NAME.", valueName: "kind"))
  var kind: String

  @Argument(help: ArgumentHelp("The resource's name.", valueName: "name"))
  var name: String?

  /// The kind, and the name if there is one.
  var parts: (kind: String, name: String?) {
    let (kind, names) = ResourceReference.split(kind, name.map { [$0] } ?? [])
    return (kind, names.first)
  }

  /// The id of a proxy, KIND/NAMESPACE/NAME/INSTANCE, perhaps without the instance, if that is what was written.
  var proxy: String? {
    let parts = kind.split(separator: "/", omittingEmptySubsequences: false)
    guard name == nil, parts.count == 3 || parts.count == 4, parts[0] == "gateway" || parts[0] == "sidecar" else {
      return nil
    }
    return kind
  }

  /// - Parameter question: what to say when there is no name, such as `say whose history`.
  func required(_ question: String) throws -> (kind: String, name: String) {
    let (kind, name) = parts
    guard let name else { throw ValidationError("\(question): KIND NAME") }
    return (kind, name)
  }
}
