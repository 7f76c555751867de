import ArgumentParser
import Foundation
import WeftCommand
import WeftConfig
import WeftControl
import WeftStore

struct DescribeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "describe",
    abstract: "Tell everything about a resource (content, findings, who refuses it and why, events) or a proxy.",
    discussion: """
      A proxy is named by its id, as weft status shows it: its state, certificate, bundles, what it refuses and why, events.

      Examples:
        weft describe httproute shop
        weft describe gateway/default/edge
      """)

  @OptionGroup var resource: ResourceArguments

  @OptionGroup var namespace: NamespaceOption
  @OptionGroup var client: ClientOptions

  private static let question = "say what to describe"

  func validate() throws { if resource.proxy == nil { _ = try resource.required(Self.question) } }

  func run() throws {
    if let id = resource.proxy { return try describe(proxy: id) }
    let (kind, name) = try resource.required(Self.question)
    let (json, namespace) = (client.json, namespace)
    try client.withClient { client, resolved in
      let (type, value) = try await ResourceReference(kind: kind)
        .resource(name, namespace: namespace.resolve(resolved), client)
      let key = ResourceKey(
        group: type.kind.group, kind: type.kind.kind, namespace: value["metadata"]?["namespace"]?.string ?? "",
        name: name)
      let subject = key.namespace.isEmpty ? name : "\(key.namespace)/\(name)"
      let findings =
        try await client.get("/weft/v1/findings")["findings"]?.array?.compactMap { ResourceFinding($0) } ?? []
      let about = findings.filter { $0.resource == key }
      let rejections =
        try await client.get(
          "/weft/v1/rejections", [("type", type.discoveryType), ("name", subject)])["rejections"]?.array ?? []
      let events = try await client.get("/weft/v1/events")["events"]?.array ?? []
      let recent = events.filter { $0["subject"]?.string?.contains(subject) == true }.suffix(10)
      let versions = try await client.get(HistoryCommand.path(key), [("limit", "5")])["versions"]?.array ?? []
      if json {
        let all: JSONValue = [
          "resource": value, "rejections": .array(rejections), "events": .array(Array(recent)),
          "history": .array(versions),
          "findings": .array(
            about.map {
              ["severity": $0.isError ? "error" : "warning", "path": .string($0.path), "message": .string($0.message)]
            }),
        ]
        return print(all.text)
      }
      show(value, type, about, rejections, Array(recent), versions)
    }
  }
}

extension DescribeCommand {
  private func describe(proxy id: String) throws {
    let json = client.json
    try client.withClient { client, _ in
      // The whole id, or all of it but the instance where there is one only.
      let proxies = try await client.get("/weft/v1/proxies")["proxies"]?.array ?? []
      let ids = proxies.compactMap { $0["id"]?.string }.filter { $0 == id || $0.hasPrefix("\(id)/") }
      guard let id = ids.first else { throw ClientError("no proxy \"\(id)\"; weft status lists them") }
      if ids.count > 1 {
        throw ClientError("there are \(ids.count) such proxies; say which: \(ids.prefix(20).joined(separator: ", "))")
      }
      let parts = id.split(separator: "/").map {
        $0.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "-._~"))) ?? ""
      }
      let proxy = try await client.get("/weft/v1/proxies/\(parts.joined(separator: "/"))")
      let events = try await client.get("/weft/v1/events")["events"]?.array ?? []
      // Either it is what an event is about, or it is who refused or took something.
      let recent = events.filter { event in
        let message = event["message"]?.string ?? ""
        return event["subject"]?.string == id || message == id || message.hasPrefix("\(id): ")
      }.suffix(20)
      if json {
        return print(JSONValue.object(["proxy": proxy, "events": .array(Array(recent))]).text)
      }
      Terminal.write(ProxyDescription(proxy).all(Array(recent)), to: 1)
    }
  }
}

private func show(
  _ value: JSONValue, _ type: ResourceType, _ findings: [ResourceFinding], _ rejections: [JSONValue],
  _ events: [JSONValue], _ versions: [JSONValue]
) {
  let metadata = value["metadata"]
  var head = Table(columns: ["", ""])
  head.add(["Name", metadata?["name"]?.string ?? ""])
  if let namespace = metadata?["namespace"]?.string { head.add(["Namespace", namespace]) }
  head.add(["Kind", "\(type.kind.kind), \(value["apiVersion"]?.string ?? "")"])
  for (title, field) in [("Labels", "labels"), ("Annotations", "annotations")] {
    for (index, member) in (metadata?[field]?.object ?? [:]).sorted(by: { $0.key < $1.key }).enumerated() {
      head.add([index == 0 ? title : "", Terminal.harmless("\(member.key)=\(member.value.string ?? "")")])
    }
  }
  let created = metadata?["creationTimestamp"]?.string
  head.add(["Created", "\(created ?? "") (\(ResourceTable.age(created)) ago)"])
  head.add([
    "Version",
    "generation \(metadata?["generation"]?.int ?? 0), revision \(metadata?["resourceVersion"]?.string ?? "")",
  ])
  var text = head.body
  func section(_ title: String, _ body: String) { text += "\n\(Terminal.styled(title, .bold))\n\(body)" }
  func indented(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { $0.isEmpty ? "" : "  \($0)" }
      .joined(separator: "\n")
  }
  var content = value
  for field in ["apiVersion", "kind", "metadata"] { content[field] = nil }
  section("Content", indented(Terminal.harmless(content.yaml)))
  if !findings.isEmpty {
    section(
      "Findings",
      findings.map { finding in
        let word = finding.isError ? Terminal.styled("error", .red) : Terminal.styled("warning", .yellow)
        return "  \(word) \(finding.path.isEmpty ? "" : "\(finding.path): ")\(Terminal.harmless(finding.message))\n"
      }.joined())
  }
  if rejections.isEmpty {
    section("Refused by", "  no proxy\n")
  } else {
    section(
      "Refused by",
      rejections.map { rejection in
        let since = rejection["since"]?.double ?? 0
        let age = ResourceTable.duration(Date().timeIntervalSince1970 - since)
        return
          "  \(Terminal.styled(Terminal.harmless(rejection["proxy"]?.string ?? ""), .red)), for \(age); it goes on with what it had\n"
          + indented(indented(Terminal.harmless(rejection["message"]?.string ?? ""))) + "\n"
      }.joined())
  }
  if !versions.isEmpty {
    var table = Table(columns: ["", "", "", ""])
    for version in versions {
      table.add([
        "  \(version["revision"]?.string ?? "")", version["time"]?.string ?? "",
        Terminal.harmless(version["who"]?.string ?? ""), version["verb"]?.string ?? "",
      ])
    }
    section("History", table.body)
  }
  if !events.isEmpty { section("Events", events.map { "  \(EventsCommand.text($0))\n" }.joined()) }
  Terminal.write(text, to: 1)
}
