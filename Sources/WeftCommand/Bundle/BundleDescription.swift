import WeftBundle

/// A bundle for people and for programs to read.
struct BundleDescription {
  private let bundle: Bundle
  private let signatures: SignatureReport
  private let place: String
  private var manifest: BundleManifest { bundle.manifest }
  private var shared: [(key: String, value: Int)] { manifest.shared.sorted { $0.key < $1.key } }

  /// - Parameter origin: how the bundle is called where it comes from, when it lies here as a copy.
  init(_ bundle: Bundle, _ signatures: SignatureReport, origin: String? = nil) {
    self.bundle = bundle
    place = origin ?? bundle.place
    self.signatures = signatures
  }

  // MARK: Text

  /// Sections of aligned columns.
  var text: String {
    let isTerminal = Terminal.hasColor(1)
    var head = Table(columns: ["", ""])
    head.add(["name", manifest.name])
    head.add(["version", manifest.version.description])
    for (name, value) in [
      ("description", manifest.description), ("author", manifest.author), ("license", manifest.license),
    ] where !value.isEmpty { head.add([name, value]) }
    head.add(["entry", manifest.entry])
    if let minimum = manifest.minimumWeft { head.add(["needs", "Weft \(minimum) or newer"]) }
    head.add(["may call", manifest.services.isEmpty ? "no service" : manifest.services.joined(separator: ", ")])
    for (i, dictionary) in shared.enumerated() {
      head.add([i == 0 ? "shares" : "", "\(dictionary.key), \(dictionary.value) bytes"])
    }
    let limits = manifest.limits
    head.add([
      "limits",
      "memory \(limits.memory), cpu \(limits.cpu), body \(limits.body), log lines \(limits.logLines) a second",
    ])
    head.add(["digest", bundle.digest.description])
    head.add(["signed", signatures.problem ?? Findings.count(signatures.rows.count, "signature")])
    var sections = [head.body]
    if !signatures.rows.isEmpty { sections.append(signatures.table(isTerminal: isTerminal)) }
    if let schema = manifest.settings, !schema.properties.isEmpty {
      var table = Table(columns: ["setting", "type", "default", "meaning"])
      for property in schema.properties {
        let standIn = property.schema.defaultValue.map { $0.json } ?? (property.isRequired ? "required" : "")
        table.add([property.name, property.schema.kind.rawValue, standIn, property.schema.description])
      }
      sections.append(table.text(isTerminal: isTerminal))
    }
    var files = Table(columns: ["file", "bytes"])
    for file in bundle.files { files.add([file.path, "\(file.text.count)"]) }
    sections.append(files.text(isTerminal: isTerminal))
    return sections.joined(separator: "\n")
  }

  // MARK: JSON

  var json: String {
    var object = JSONObject()
    object.add("path", place)
    object.add("name", manifest.name)
    object.add("version", manifest.version.description)
    object.add("description", manifest.description)
    object.add("author", manifest.author)
    object.add("license", manifest.license)
    object.add("entry", manifest.entry)
    if let minimum = manifest.minimumWeft { object.add("minimumWeft", minimum.description) }
    object.add("services", manifest.services)
    var dictionaries = JSONObject()
    for dictionary in shared { dictionaries.add(dictionary.key, dictionary.value) }
    object.add("shared", json: "\(dictionaries)")
    var limits = JSONObject()
    limits.add("memory", manifest.limits.memory)
    limits.add("cpu", manifest.limits.cpu.description)
    limits.add("body", manifest.limits.body)
    limits.add("logLines", manifest.limits.logLines)
    object.add("limits", json: "\(limits)")
    object.add("digest", bundle.digest.description)
    object.add("signatures", signatures.json)
    if let problem = signatures.problem { object.add("signatureProblem", problem) }
    object.add(
      "settings",
      (manifest.settings?.properties ?? []).map { property in
        var setting = JSONObject()
        setting.add("name", property.name)
        setting.add("type", property.schema.kind.rawValue)
        setting.add("required", property.isRequired)
        if let value = property.schema.defaultValue { setting.add("default", json: value.json) }
        setting.add("description", property.schema.description)
        return setting
      })
    object.add(
      "files",
      bundle.files.map { file in
        var entry = JSONObject()
        entry.add("path", file.path)
        entry.add("bytes", file.text.count)
        return entry
      })
    return "\(object)"
  }
}
