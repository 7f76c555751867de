/// Which deltas wait for an answer, and which refusals the control plane has been told of.
struct DeltaNonces {
  /// What to say about a type.
  struct Answer {
    let type: String
    let nonce: String
    /// Resources that are refused no longer.
    let withdrawn: [String]
  }

  private var last: [String: String] = [:]
  private var waiting: Set<String> = []
  private var said: [String: [String: ResourceRejection]] = [:]

  mutating func received(_ type: String, _ nonce: String) {
    last[type] = nonce
    waiting.insert(type)
  }

  /// The answers to give now: for deltas that wait, and for types of which other resources are refused than was said.
  /// - Parameter refused: what is refused at present, by type and name.
  mutating func due(_ refused: [String: [String: ResourceRejection]]) -> [Answer] {
    let changed = Set(refused.keys).union(said.keys).filter { refused[$0] ?? [:] != said[$0] ?? [:] }
    let answers = waiting.union(changed).sorted().compactMap { type -> Answer? in
      let present = refused[type] ?? [:]
      let withdrawn = (said[type] ?? [:]).keys.filter { present[$0] == nil }.sorted()
      return last[type].map { Answer(type: type, nonce: $0, withdrawn: withdrawn) }
    }
    waiting = []
    said = refused
    return answers
  }
}
