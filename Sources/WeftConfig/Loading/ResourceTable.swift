/// The resources of one kind, in the order in which they were read, and by name.
public struct ResourceTable<Element: Resource>: Sendable {
  public private(set) var all: [Element] = []
  private var index: [ResourceName: Int] = [:]

  public init() {}

  public subscript(name: ResourceName) -> Element? { index[name].map { all[$0] } }

  public var count: Int { all.count }
  public var isEmpty: Bool { all.isEmpty }

  /// Adds a resource. Gives the one that already has its name, and keeps that one.
  mutating func add(_ element: Element) -> Element? {
    if let position = index[element.name] { return all[position] }
    index[element.name] = all.count
    all.append(element)
    return nil
  }
}

extension ResourceTable: Equatable {
  public static func == (left: ResourceTable, right: ResourceTable) -> Bool { left.all == right.all }
}
