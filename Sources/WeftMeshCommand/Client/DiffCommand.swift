import ArgumentParser
import WeftCommand
import WeftConfig
import WeftControl

struct DiffCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Show what weft apply would change.",
    discussion: """
      Compares the resources of files with those at the control plane, which checks them as for weft apply.

      Example:
        weft diff -f config/
      """)

  @OptionGroup var manifests: ManifestOptions

  @Flag(help: "Exit with 1 when there are differences.")
  var exitCode = false

  @OptionGroup var namespace: NamespaceOption
  @OptionGroup var client: ClientOptions

  func validate() throws {
    if manifests.files.isEmpty { throw ValidationError("say what to compare: -f PATH") }
  }

  func run() throws {
    let (files, json, namespace) = (manifests.files, client.json, namespace)
    let isSame = try client.withClient { client, resolved in
      let manifests = try ApplyCommand.read(files, namespace.resolve(resolved), json: json)
      let answer = try await ApplyCommand.send(
        manifests, "/weft/v1/apply", [("dryRun", "All"), ("objects", "1")], client, json: json)
      let results = (answer["results"]?.array ?? []).filter { $0["outcome"]?.string != "unchanged" }
      if json {
        print(JSONValue.array(results).text)
      } else {
        for result in results {
          let name = ResourceNames.of(result)
          let difference = LineDifference(
            result["before"]?.yaml ?? "", result["after"]?.yaml ?? "", from: "\(name) (stored)", to: "\(name) (file)")
          Terminal.write(difference.text(isColored: Terminal.hasColor(1)), to: 1)
        }
      }
      return results.isEmpty
    }
    if exitCode && !isSame { throw ExitCode(1) }
  }
}

/// Two texts compared line by line, in the unified format.
struct LineDifference {
  private enum Line {
    case same(String)
    case removed(String)
    case added(String)
  }

  private static let context = 3
  private var lines: [Line] = []
  private let names: (String, String)

  init(_ old: String, _ new: String, from oldName: String, to newName: String) {
    names = (oldName, newName)
    func split(_ text: String) -> [String] {
      var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
      if lines.last == "" { lines.removeLast() }
      return lines
    }
    let (before, after) = (split(old), split(new))
    let changes = after.difference(from: before)
    func offset(_ change: CollectionDifference<String>.Change) -> Int {
      switch change {
      case .remove(let offset, _, _), .insert(let offset, _, _): offset
      }
    }
    let removed = Set(changes.removals.map(offset))
    let added = Set(changes.insertions.map(offset))
    var (i, j) = (0, 0)
    while i < before.count || j < after.count {
      if i < before.count, removed.contains(i) {
        lines.append(.removed(before[i]))
        i += 1
      } else if j < after.count, added.contains(j) {
        lines.append(.added(after[j]))
        j += 1
      } else {
        if i < before.count { lines.append(.same(before[i])) }
        i += 1
        j += 1
      }
    }
  }

  func text(isColored: Bool) -> String {
    func styled(_ text: String, _ style: Terminal.Style) -> String {
      isColored ? "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m" : text
    }
    var text = styled("--- \(names.0)", .bold) + "\n" + styled("+++ \(names.1)", .bold) + "\n"
    let changed = lines.indices.filter { if case .same = lines[$0] { false } else { true } }
    var (oldLine, newLine, at) = (1, 1, 0)
    var next = changed[...]
    while let first = next.first {
      // A hunk: changes with less than twice the context between them.
      var last = first
      next.removeFirst()
      while let following = next.first, following - last <= 2 * Self.context {
        last = following
        next.removeFirst()
      }
      let range = max(first - Self.context, at)..<min(last + Self.context + 1, lines.count)
      for line in lines[at..<range.lowerBound] { Self.count(line, &oldLine, &newLine) }
      var (oldCount, newCount) = (0, 0)
      for line in lines[range] { Self.count(line, &oldCount, &newCount) }
      text +=
        "@@ -\(oldCount == 0 ? oldLine - 1 : oldLine),\(oldCount) +\(newCount == 0 ? newLine - 1 : newLine),\(newCount) @@\n"
      for line in lines[range] {
        switch line {
        case .same(let line): text += " \(Terminal.harmless(line))\n"
        case .removed(let line): text += styled("-\(Terminal.harmless(line))", .red) + "\n"
        case .added(let line): text += styled("+\(Terminal.harmless(line))", .green) + "\n"
        }
      }
      oldLine += oldCount
      newLine += newCount
      at = range.upperBound
    }
    return text
  }

  private static func count(_ line: Line, _ old: inout Int, _ new: inout Int) {
    switch line {
    case .same:
      old += 1
      new += 1
    case .removed: old += 1
    case .added: new += 1
    }
  }
}
