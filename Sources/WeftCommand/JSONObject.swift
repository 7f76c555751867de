import WeftConfig

/// A JSON object on one line, members in the order added.
struct JSONObject: CustomStringConvertible {
  private var members: [String] = []

  mutating func add(_ name: String, _ text: String) { add(name, json: JSONText.quote(text)) }
  mutating func add(_ name: String, _ number: Int) { add(name, json: "\(number)") }
  mutating func add(_ name: String, _ flag: Bool) { add(name, json: "\(flag)") }
  mutating func add(_ name: String, _ texts: [String]) { add(name, json: Self.list(texts.map(JSONText.quote))) }
  mutating func add(_ name: String, _ objects: [JSONObject]) { add(name, json: Self.list(objects.map(\.description))) }
  mutating func add(_ name: String, json: String) { members.append("\(JSONText.quote(name)):\(json)") }

  var description: String { "{" + members.joined(separator: ",") + "}" }

  private static func list(_ items: [String]) -> String { "[" + items.joined(separator: ",") + "]" }
}
