import WeftConfig

/// A JSON object on one line, members in the order added.
package struct JSONObject: CustomStringConvertible {
  private var members: [String] = []

  package init() {}

  package mutating func add(_ name: String, _ text: String) { add(name, json: JSONText.quote(text)) }
  package mutating func add(_ name: String, _ number: Int) { add(name, json: "\(number)") }
  package mutating func add(_ name: String, _ flag: Bool) { add(name, json: "\(flag)") }
  package mutating func add(_ name: String, _ texts: [String]) { add(name, json: Self.list(texts.map(JSONText.quote))) }
  package mutating func add(_ name: String, _ objects: [JSONObject]) {
    add(name, json: Self.list(objects.map(\.description)))
  }
  package mutating func add(_ name: String, json: String) { members.append("\(JSONText.quote(name)):\(json)") }

  package var description: String { "{" + members.joined(separator: ",") + "}" }

  private static func list(_ items: [String]) -> String { "[" + items.joined(separator: ",") + "]" }
}
