/// Lists in which every name may stand once.
enum DistinctNames {
  /// The elements with names of their own. Repeating a name is a mistake; of header names that differ in case alone,
  /// the Gateway API lets the first one count.
  static func keepFirst<T>(
    _ elements: [T], by name: KeyPath<T, String>, in list: String, _ reader: ObjectReader, ignoringCase: Bool = false
  ) -> [T] {
    var seen: [String: String] = [:]
    return elements.filter { element in
      let name = element[keyPath: name]
      let key = ignoringCase ? name.lowercased() : name
      guard let first = seen[key] else {
        seen[key] = name
        return true
      }
      if first == name {
        reader.error(list, "lists the name \"\(name)\" twice; keep one")
      } else {
        reader.warn(list, "\"\(name)\" is the same name as \"\(first)\", and only the first one counts")
      }
      return false
    }
  }
}
