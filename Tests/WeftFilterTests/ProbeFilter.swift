import Testing
import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO

/// What the filters of one chain have seen, in order.
final class Journal {
  var entries: [String] = []
}

/// A filter that writes down what it is called for, and does as the test says.
final class ProbeFilter: HTTPFilter {
  let name: String
  let journal: Journal
  var wanted: FilterPhases
  var request: (Exchange) -> FilterVerdict = { _ in .next }
  var requestBody: (Exchange, inout BodyChunk) -> FilterVerdict = { _, _ in .next }
  var response: (Exchange) -> FilterVerdict = { _ in .next }
  var responseBody: (Exchange, inout BodyChunk) -> FilterVerdict = { _, _ in .next }
  var resumed: (Exchange) -> FilterVerdict = { _ in .next }

  init(_ name: String, _ journal: Journal, _ wanted: FilterPhases) {
    self.name = name
    self.journal = journal
    self.wanted = wanted
  }

  private func note(_ what: String) { journal.entries.append("\(name).\(what)") }

  override var phases: FilterPhases { wanted }

  override func onRequest(_ exchange: Exchange) -> FilterVerdict {
    note("request")
    return request(exchange)
  }

  override func onRequestBody(_ exchange: Exchange, _ chunk: inout BodyChunk) -> FilterVerdict {
    note("requestBody(\(chunk.bytes.string)\(chunk.isLast ? "|" : ""))")
    return requestBody(exchange, &chunk)
  }

  override func onRequestTrailers(_ exchange: Exchange) -> FilterVerdict {
    note("requestTrailers(\(exchange.requestTrailers.count))")
    return .next
  }

  override func onResponse(_ exchange: Exchange) -> FilterVerdict {
    note("response(\(exchange.response.status))")
    return response(exchange)
  }

  override func onResponseBody(_ exchange: Exchange, _ chunk: inout BodyChunk) -> FilterVerdict {
    note("responseBody(\(chunk.bytes.string)\(chunk.isLast ? "|" : ""))")
    return responseBody(exchange, &chunk)
  }

  override func onResponseTrailers(_ exchange: Exchange) -> FilterVerdict {
    note("responseTrailers(\(exchange.responseTrailers.count))")
    return .next
  }

  override func onResume(_ exchange: Exchange) -> FilterVerdict {
    note("resume(\(exchange.phase))")
    return resumed(exchange)
  }

  override func onLog(_ exchange: Exchange) { note("log") }

  override func onEnd(_ exchange: Exchange) { note("end") }
}

/// A bench with one probe a name, all taking part in `phases`.
func probes(_ names: [String], _ phases: FilterPhases) -> (FilterBench, Journal, [ProbeFilter]) {
  let bench = FilterBench()
  let journal = Journal()
  let filters = names.map { ProbeFilter($0, journal, phases) }
  for filter in filters { bench.add(filter, name: filter.name) }
  return (bench, journal, filters)
}
