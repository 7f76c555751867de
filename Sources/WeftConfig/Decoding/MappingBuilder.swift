/// Gathers the fields of one mapping and notices repeated ones.
struct MappingBuilder {
  private(set) var entries: [ConfigTree.Entry] = []
  /// Where each key stands; built only for mappings too large for a linear search.
  private var index: [String: Int] = [:]
  private static let linearLimit = 16

  func position(of key: String) -> Int? {
    if entries.count <= MappingBuilder.linearLimit { return entries.firstIndex { $0.key == key } }
    return index[key]
  }

  /// Adds a field. Gives the field that already has its name, and keeps that one.
  mutating func add(_ entry: ConfigTree.Entry) -> ConfigTree.Entry? {
    if let position = position(of: entry.key) { return entries[position] }
    entries.append(entry)
    if entries.count > MappingBuilder.linearLimit {
      if index.isEmpty {
        for (position, entry) in entries.enumerated() { index[entry.key] = position }
      } else {
        index[entry.key] = entries.count - 1
      }
    }
    return nil
  }
}
