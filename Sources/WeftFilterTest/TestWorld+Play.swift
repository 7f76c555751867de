/// One exchange after the other with an upstream and services that always answer the same.
extension TestWorld {
  /// Plays the upstream and services until the exchange is over.
  /// - Parameters:
  ///   - id: the exchange, as `begin` gave it.
  ///   - seen: called with what was asked, the answer, and whether it was the upstream that was asked.
  /// - Returns: the exchange's result.
  func play(
    _ id: Int, _ input: FilterTrial.Input, seen: (LuaValue, MessageFile, Bool) -> Void = { _, _, _ in }
  ) throws -> LuaValue {
    let id = LuaValue.integer(Int64(id))
    while true {
      let step = try step(.table([("exchange", id)]))
      if step["kind"].text == "done" { return try answer("result", id) }
      let asked = step["request"]
      let isUpstream = step["kind"].text == "upstream"
      var made: MessageFile
      if isUpstream {
        made = input.response ?? Self.echo(asked)
        if made["status"].isNone { made["status"] = .integer(200) }
      } else if let known = input.services[asked["service"].text ?? ""] {
        made = known
      } else {
        made = .request
        made["failure"] = .text("refused")
      }
      seen(asked, made, isUpstream)
      if isUpstream {
        try answerUpstream(step["id"], .table(made.fields))
      } else {
        try answerCall(step["id"], .table(made.fields))
      }
    }
  }

  /// Lets go of exchanges that are over, so that a long run does not pile them up.
  func forget() {
    running = [:]
    calls = []
  }

  /// What the upstream answers in tests that say nothing of it.
  private static func echo(_ request: LuaValue) -> MessageFile {
    var answer = MessageFile.request
    if !request["chunks"].items.isEmpty { answer["body"] = request["chunks"] }
    let types = request["headers"].items.filter { $0[0].text?.lowercased() == "content-type" }
    if !types.isEmpty { answer["headers"] = .list(types) }
    return answer
  }
}
