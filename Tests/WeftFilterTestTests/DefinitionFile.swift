/// What a file of definitions for the Lua language server declares.
struct DefinitionFile {
  struct Parameter {
    let name: String
    let type: String
    let isOptional: Bool
  }

  struct Function {
    let parameters: [Parameter]
    /// Takes any number of values after them.
    let isVariadic: Bool

    var required: [Parameter] { parameters.filter { !$0.isOptional } }
  }

  struct Class {
    let parent: String?
    /// By name; whether it may be missing.
    var fields: [String: Bool] = [:]
  }

  /// By name: `Handle:headers`, of a class `weft.Handle`, or `weft.json.decode`.
  private(set) var functions: [String: Function] = [:]
  /// What is no function: its value as it is written.
  private(set) var values: [String: String] = [:]
  private(set) var classes: [String: Class] = [:]
  /// Parameters that are described and not there, or the other way round.
  private(set) var mistakes: [String] = []

  init(_ text: String) {
    var parameters: [Parameter] = []
    var current: String?
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if let words = line.after("---@class ") {
        let sides = (words.after("(exact) ") ?? words).split(separator: ":")
        let name = String(sides[0]).trimmed.lastComponent
        classes[name] = Class(parent: sides.count > 1 ? String(sides[1]).trimmed.lastComponent : nil)
        current = name
      } else if let words = line.after("---@field "), let current {
        let name = String(words.prefix { $0 != " " })
        if name.hasPrefix("[") { continue }
        classes[current]?.fields[String(name.prefix { $0 != "?" })] = name.hasSuffix("?")
      } else if let words = line.after("---@param ") {
        let name = String(words.prefix { $0 != " " })
        let type = words.dropFirst(name.count + 1)
        let shown = type.hasPrefix("fun") ? String(type) : String(type.prefix { $0 != " " })
        let isOptional = name.hasSuffix("?") || shown.hasSuffix("?") || shown.split(separator: "|").contains("nil")
        parameters.append(
          Parameter(name: String(name.prefix { $0 != "?" }), type: shown, isOptional: isOptional))
      } else if let words = line.after("function "), let open = words.firstIndex(of: "("),
        let close = words.lastIndex(of: ")")
      {
        let name = String(words[..<open])
        let names = words[words.index(after: open)..<close].split(separator: ",").map { String($0).trimmed }
        let named = names.filter { $0 != "..." }
        if parameters.map(\.name) != names {
          mistakes.append("\(name)(\(names.joined(separator: ", "))): described are \(parameters.map(\.name))")
        }
        functions[name] = Function(
          parameters: parameters.filter { named.contains($0.name) }, isVariadic: names.contains("..."))
        parameters = []
      } else if let first = line.first, first.isLetter, !line.hasPrefix("local "),
        let equals = line.firstIndex(of: "="), let end = line[..<equals].lastIndex(where: { $0 != " " })
      {
        values[String(line[...end])] = String(line[line.index(after: equals)...]).trimmed
      } else if line.isEmpty {
        current = nil
      }
    }
  }

  /// All functions, with those of a class that it has from its parents, and without methods of classes that are parents alone.
  var all: [String: Function] {
    var found = functions
    for name in classes.keys {
      var ancestor = classes[name]?.parent
      while let present = ancestor {
        for (function, declared) in functions where function.hasPrefix("\(present):") {
          found["\(name):\(function.dropFirst(present.count + 1))"] = declared
        }
        ancestor = classes[present]?.parent
      }
    }
    return found
  }

  /// Values that are no tables with something in them.
  var leaves: [String: String] {
    let names = Array(functions.keys) + Array(values.keys)
    return values.filter { value in !names.contains { $0.hasPrefix("\(value.key).") } }
  }
}

extension Substring {
  fileprivate func after(_ prefix: String) -> Substring? { hasPrefix(prefix) ? dropFirst(prefix.count) : nil }
}

extension String {
  fileprivate var trimmed: String {
    String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
  }
  /// `weft.test.Request` is called `Request`.
  fileprivate var lastComponent: String { split(separator: ".").last.map(String.init) ?? self }
}
